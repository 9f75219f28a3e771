/**
 * Extensions (RFC 5280 §4.2), of a certificate or asked for in a CSR. Those that matter to identity are read,
 * the rest is skipped; a critical one that is not read is reported, and so is one that comes twice. It reports, its callers judge.
 */
import { DerError, type DerReader, primitiveTag, TAG } from './der-reader.ts';
import { readDefaultFalse, readNamedBits, readSmallInteger } from './der-values.ts';
import { type AlternativeNames, readAlternativeNames } from './general-names.ts';
import { type NameConstraints, readNameConstraints } from './name-constraints.ts';
import { readOid } from './object-identifier.ts';
import { OID } from './oids.ts';

/** The bits of RFC 5280 §4.2.1.3 that SVIDs speak about (X509-SVID §4.3). */
export interface KeyUsage {
  readonly critical: boolean;
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly cRLSign: boolean;
}

export interface BasicConstraints {
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
}

export interface Extensions {
  basicConstraints: BasicConstraints | undefined;
  keyUsage: KeyUsage | undefined;
  extendedKeyUsage: readonly string[] | undefined;
  subjectAltName: AlternativeNames | undefined;
  subjectAltNameCritical: boolean;
  subjectKeyId: Buffer | undefined;
  authorityKeyId: Buffer | undefined;
  nameConstraints: NameConstraints | undefined;
  /** OIDs of extensions that come more than once; the first is the one that was read. */
  readonly duplicates: string[];
  readonly unknownCritical: string[];
}

/** More than any certificate has; bounds the search for repeats. */
const MOST_EXTENSIONS = 64;

export function noExtensions(): Extensions {
  return {
    basicConstraints: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    subjectAltName: undefined,
    subjectAltNameCritical: false,
    subjectKeyId: undefined,
    authorityKeyId: undefined,
    nameConstraints: undefined,
    duplicates: [],
    unknownCritical: [],
  };
}

/** Reads `Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension`. @throws {DerError} */
export function readExtensions(reader: DerReader): Extensions {
  const list = reader.enter(TAG.sequence);
  const found = noExtensions();
  const seen: string[] = [];
  do {
    const extension = list.enter(TAG.sequence);
    const id = readOid(extension);
    const critical = readDefaultFalse(extension);
    const value = extension.enter(TAG.octetString);
    extension.finish();
    if (seen.includes(id)) {
      if (!found.duplicates.includes(id)) found.duplicates.push(id);
    } else {
      seen.push(id);
      readOne(found, id, critical, value);
    }
    if (seen.length > MOST_EXTENSIONS) throw new DerError('too many extensions');
  } while (!list.atEnd);
  return found;
}

function readOne(found: Extensions, id: string, critical: boolean, value: DerReader): void {
  switch (id) {
    case OID.basicConstraints:
      found.basicConstraints = readBasicConstraints(value);
      break;
    case OID.keyUsage:
      found.keyUsage = readKeyUsage(value, critical);
      break;
    case OID.extendedKeyUsage:
      found.extendedKeyUsage = readExtendedKeyUsage(value);
      break;
    case OID.subjectAltName:
      found.subjectAltName = readAlternativeNames(value);
      found.subjectAltNameCritical = critical;
      break;
    case OID.subjectKeyIdentifier:
      found.subjectKeyId = value.content(TAG.octetString);
      break;
    case OID.authorityKeyIdentifier:
      found.authorityKeyId = readAuthorityKeyId(value);
      break;
    case OID.nameConstraints:
      found.nameConstraints = readNameConstraints(value);
      break;
    default:
      if (critical) found.unknownCritical.push(id);
      return;
  }
  value.finish();
}

/** RFC 5280 §4.2.1.9: a path length only together with cA. */
function readBasicConstraints(value: DerReader): BasicConstraints {
  const body = value.enter(TAG.sequence);
  const isCa = readDefaultFalse(body);
  const pathLength = body.atEnd ? undefined : readSmallInteger(body);
  body.finish();
  if (pathLength !== undefined && !isCa) throw new DerError('path length without cA');
  return { isCa, pathLength };
}

/** RFC 5280 §4.2.1.3: bit 0 digitalSignature, bit 5 keyCertSign, bit 6 cRLSign. */
function readKeyUsage(value: DerReader, critical: boolean): KeyUsage {
  const set = readNamedBits(value);
  return {
    critical,
    digitalSignature: (set & 0x80000000) !== 0,
    keyCertSign: (set & 0x04000000) !== 0,
    cRLSign: (set & 0x02000000) !== 0,
  };
}

function readExtendedKeyUsage(value: DerReader): string[] {
  const body = value.enter(TAG.sequence);
  const purposes: string[] = [];
  do purposes.push(readOid(body));
  while (!body.atEnd);
  return purposes;
}

/** RFC 5280 §4.2.1.1: of the three optional fields only the key identifier is used. */
function readAuthorityKeyId(value: DerReader): Buffer | undefined {
  const body = value.enter(TAG.sequence);
  const keyId = body.peek() === primitiveTag(0) ? body.content(primitiveTag(0)) : undefined;
  while (!body.atEnd) body.skip();
  return keyId;
}
