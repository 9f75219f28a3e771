/**
 * One X.509 certificate (RFC 5280 §4.1), read once into plain values. It refuses what is not DER or not a
 * well-formed certificate and judges nothing else: whether it is a good SVID, in time or signed by anyone
 * is for svid-rules and verify-svid. The buffers are views into `der`, which must not be changed afterwards.
 */
import { hash } from 'node:crypto';
import { readAlgorithm, sameAlgorithm } from './algorithm-identifier.ts';
import { constructedTag, DerError, DerReader, primitiveTag, TAG } from './der-reader.ts';
import { readOctetBits, readPositiveInteger, readSmallInteger, readTime } from './der-values.ts';
import { type Extensions, type KeyUsage, noExtensions, readExtensions } from './extensions.ts';
import type { NameConstraints } from './name-constraints.ts';
import { readOid } from './object-identifier.ts';

export interface Certificate {
  readonly der: Buffer;
  /** The signed part. */
  readonly tbs: Buffer;
  /** Lower-case hexadecimal without a sign octet. */
  readonly serial: string;
  readonly signatureAlgorithm: string;
  /** Parameters of the signature algorithm as DER; absent for ECDSA and Ed25519. */
  readonly signatureParameters?: Buffer | undefined;
  readonly signature: Buffer;
  /** Name, DER. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly subjectEmpty: boolean;
  /** Milliseconds since the Unix epoch; both ends belong to the validity. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Buffer;
  readonly isCa: boolean;
  readonly pathLength?: number | undefined;
  readonly keyUsage?: KeyUsage | undefined;
  readonly extendedKeyUsage?: readonly string[] | undefined;
  readonly uriNames: readonly string[];
  /** How many subject alternative names are no URI. */
  readonly otherNames: number;
  /** Their forms, as tags of GeneralName. */
  readonly otherNameForms: readonly number[];
  readonly subjectAltNameCritical: boolean;
  readonly subjectKeyId?: Buffer | undefined;
  readonly authorityKeyId?: Buffer | undefined;
  readonly unknownCriticalExtensions: readonly string[];
  readonly uriNameConstraints?: NameConstraints | undefined;
  /** SHA-256 of `der`, hexadecimal. */
  readonly fingerprint: string;
}

/** RFC 5280 §4.1.2.2: at most 20 octets with the sign. */
const MOST_SERIAL_OCTETS = 20;
const VERSION_3 = 2;

/** @throws {DerError} */
export function readCertificate(der: Buffer): Certificate {
  const outer = new DerReader(der);
  const certificate = outer.enter(TAG.sequence);
  outer.finish();
  const tbs = certificate.element(TAG.sequence);
  const algorithm = readAlgorithm(certificate);
  const signature = readOctetBits(certificate);
  certificate.finish();

  const fields = new DerReader(tbs).enter(TAG.sequence);
  const version = readVersion(fields);
  const serial = readSerial(fields);
  // RFC 5280 §4.1.1.2: the algorithm outside, which is not signed, is the one inside.
  if (!sameAlgorithm(readAlgorithm(fields), algorithm)) throw new DerError('two signature algorithms');
  const issuer = readName(fields);
  // RFC 5280 §4.1.2.4: the issuer is not empty.
  if (isEmptyName(issuer)) throw new DerError('issuer is empty');
  const validity = fields.enter(TAG.sequence);
  const notBefore = readTime(validity);
  const notAfter = readTime(validity);
  validity.finish();
  const subject = readName(fields);
  const spki = readSpki(fields);
  const extensions = readTail(fields, version);

  return {
    der,
    tbs,
    serial,
    signatureAlgorithm: algorithm.oid,
    signatureParameters: algorithm.parameters,
    signature,
    issuer,
    subject,
    subjectEmpty: isEmptyName(subject),
    notBefore,
    notAfter,
    spki,
    isCa: extensions.basicConstraints?.isCa ?? false,
    pathLength: extensions.basicConstraints?.pathLength,
    keyUsage: extensions.keyUsage,
    extendedKeyUsage: extensions.extendedKeyUsage,
    uriNames: extensions.subjectAltName?.uris ?? [],
    otherNames: extensions.subjectAltName?.otherForms.length ?? 0,
    otherNameForms: extensions.subjectAltName?.otherForms ?? [],
    subjectAltNameCritical: extensions.subjectAltNameCritical,
    subjectKeyId: extensions.subjectKeyId,
    authorityKeyId: extensions.authorityKeyId,
    unknownCriticalExtensions: extensions.unknownCritical,
    uriNameConstraints: extensions.nameConstraints,
    fingerprint: hash('sha256', der, 'hex'),
  };
}

/** A Name (RFC 5280 §4.1.2.4), checked for its shape. @returns it whole, as DER */
export function readName(reader: DerReader): Buffer {
  const name = reader.element(TAG.sequence);
  const relativeNames = new DerReader(name).enter(TAG.sequence);
  while (!relativeNames.atEnd) {
    const attributes = relativeNames.enter(TAG.set);
    do {
      const attribute = attributes.enter(TAG.sequence);
      readOid(attribute);
      attribute.skip();
      attribute.finish();
    } while (!attributes.atEnd);
  }
  return name;
}

/** A SubjectPublicKeyInfo, checked for its shape. @returns it whole, as DER */
export function readSpki(reader: DerReader): Buffer {
  const spki = reader.element(TAG.sequence);
  const info = new DerReader(spki).enter(TAG.sequence);
  readAlgorithm(info);
  readOctetBits(info);
  info.finish();
  return spki;
}

/** DEFAULT v1, which is therefore never written (X.690 §11.5). */
function readVersion(fields: DerReader): number {
  if (fields.peek() !== constructedTag(0)) return 0;
  const wrapper = fields.enter(constructedTag(0));
  const version = readSmallInteger(wrapper);
  wrapper.finish();
  if (version !== 1 && version !== VERSION_3) throw new DerError('no such version');
  return version;
}

/** RFC 5280 §4.1.2.2: a positive integer. */
function readSerial(fields: DerReader): string {
  const magnitude = readPositiveInteger(fields);
  const octets = magnitude.length + (magnitude[0]! >= 0x80 ? 1 : 0);
  if (octets > MOST_SERIAL_OCTETS) throw new DerError('serial number too long');
  return magnitude.toString('hex');
}

/** Unique identifiers (version 2 and 3), which nobody uses, and extensions (version 3 only). */
function readTail(fields: DerReader, version: number): Extensions {
  if (version >= 1 && fields.peek() === primitiveTag(1)) fields.skip();
  if (version >= 1 && fields.peek() === primitiveTag(2)) fields.skip();
  if (version !== VERSION_3 || fields.atEnd) {
    fields.finish();
    return noExtensions();
  }
  const wrapper = fields.enter(constructedTag(3));
  const extensions = readExtensions(wrapper);
  wrapper.finish();
  fields.finish();
  // RFC 5280 §4.2: each extension once.
  if (extensions.duplicates.length > 0) throw new DerError('an extension comes twice');
  return extensions;
}

/** An empty SEQUENCE has no content after tag and length. */
const isEmptyName = (name: Buffer): boolean => name.length === 2;
