/**
 * A certificate signing request (PKCS#10, RFC 2986), read into plain values for citadel's rules. It refuses
 * what is not DER or not a request; what is asked for, even twice or wrongly, is reported and not judged.
 * The signature is checked only when asked for, being the dearest part.
 */
import { hash } from 'node:crypto';
import { type AlgorithmIdentifier, readAlgorithm } from './algorithm-identifier.ts';
import { readName, readSpki } from './certificate.ts';
import { constructedTag, DerError, DerReader, TAG } from './der-reader.ts';
import { readOctetBits, readSmallInteger } from './der-values.ts';
import { type Extensions, noExtensions, readExtensions } from './extensions.ts';
import { type KeyKind, keyKindOf } from './key-kind.ts';
import { readOid } from './object-identifier.ts';
import { OID } from './oids.ts';
import { publicKeyOf } from './public-key.ts';
import { isSignedBy, schemeOf } from './signature-algorithms.ts';

export interface ParsedCsr {
  readonly der: Buffer;
  readonly spki: Buffer;
  readonly key: KeyKind;
  /** SHA-256 of `spki`, hexadecimal. */
  readonly keyFingerprint: string;
  readonly uriNames: readonly string[];
  /** How many names other than URIs are asked for: DNS, IP, mail and the rest. */
  readonly otherNames: number;
  /** basicConstraints with cA, or keyUsage with keyCertSign. */
  readonly caRequested: boolean;
  /** OIDs of extensions that are asked for twice; the OID of the attribute when that comes twice. */
  readonly duplicateExtensions: readonly string[];
  readonly unknownCriticalExtensions: readonly string[];
  /** Proof of possession: whether the request is signed by the key that it carries (RFC 2986 §4.2). */
  isSelfSigned(): boolean;
}

const MOST_ATTRIBUTES = 32;
const EXTENSION_REQUESTS: readonly string[] = [OID.extensionRequest, OID.microsoftExtensionRequest];

/** @throws {DerError} */
export function parseCsr(der: Buffer): ParsedCsr {
  const outer = new DerReader(der);
  const request = outer.enter(TAG.sequence);
  outer.finish();
  const signed = request.element(TAG.sequence);
  const algorithm = readAlgorithm(request);
  const signature = readOctetBits(request);
  request.finish();

  const info = new DerReader(signed).enter(TAG.sequence);
  // RFC 2986 §4.1: version v1 is 0 and there is no other.
  if (readSmallInteger(info) !== 0) throw new DerError('no such version');
  readName(info);
  const spki = readSpki(info);
  const extensions = readAttributes(info.enter(constructedTag(0)));
  info.finish();

  const { basicConstraints, keyUsage, subjectAltName } = extensions;
  let selfSigned: boolean | undefined;
  return {
    der,
    spki,
    key: keyKindOf(spki),
    keyFingerprint: hash('sha256', spki, 'hex'),
    uriNames: subjectAltName?.uris ?? [],
    otherNames: subjectAltName?.otherForms.length ?? 0,
    caRequested: basicConstraints?.isCa === true || keyUsage?.keyCertSign === true,
    duplicateExtensions: extensions.duplicates,
    unknownCriticalExtensions: extensions.unknownCritical,
    isSelfSigned: () => (selfSigned ??= checkSignature(spki, algorithm, signed, signature)),
  };
}

/**
 * Attributes are a SET OF; its order is not checked, since many writers do not sort and nothing depends on it.
 * Attributes other than the request for extensions, such as a challenge password, are skipped.
 */
function readAttributes(attributes: DerReader): Extensions {
  let extensions: Extensions | undefined;
  let count = 0;
  while (!attributes.atEnd) {
    const attribute = attributes.enter(TAG.sequence);
    const type = readOid(attribute);
    const values = attribute.enter(TAG.set);
    attribute.finish();
    count += 1;
    if (count > MOST_ATTRIBUTES) throw new DerError('too many attributes');
    if (!EXTENSION_REQUESTS.includes(type)) continue;
    if (extensions !== undefined) {
      extensions.duplicates.push(type);
      continue;
    }
    // RFC 2985 §5.4.2: single-valued.
    extensions = readExtensions(values);
    values.finish();
  }
  return extensions ?? noExtensions();
}

function checkSignature(spki: Buffer, algorithm: AlgorithmIdentifier, signed: Buffer, signature: Buffer): boolean {
  const scheme = schemeOf(algorithm);
  const key = publicKeyOf(spki);
  return scheme !== undefined && key !== undefined && isSignedBy(key, scheme, signed, signature);
}
