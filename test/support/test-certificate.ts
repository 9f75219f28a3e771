/**
 * Builds one certificate of any kind, good by default and wrong in exactly what the options say. For tests
 * only: unlike citadel it writes what no authority may sign. It keeps no state.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bits,
  bool,
  context,
  contextPrimitive,
  extension,
  integer,
  namedBits,
  nil,
  octets,
  oid,
  seq,
  set,
  utcOrGeneralTime,
  utf8,
} from '../../shared/x509/der-writer.ts';
import { OID } from '../../shared/x509/oids.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export type TestKeyType = 'P-256' | 'P-384' | 'P-521' | 'secp256k1' | 'Ed25519' | 'RSA-1024' | 'RSA-2048';

/** Bit numbers of RFC 5280 §4.2.1.3. */
export const USAGE = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, cRLSign: 6 } as const;

export interface CertificateOptions {
  /** Common name; '' for an empty subject. */
  readonly subject?: string;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly namesCritical?: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** Leaves basicConstraints out. */
  readonly withoutBasicConstraints?: boolean;
  /** Bit numbers; none leaves the extension out. */
  readonly keyUsage?: readonly number[];
  readonly keyUsageCritical?: boolean;
  /** OIDs; none leaves the extension out. */
  readonly extendedKeyUsage?: readonly string[];
  /** Hosts of URIs. */
  readonly nameConstraints?: { readonly permitted?: readonly string[]; readonly excluded?: readonly string[] };
  /** Encoded, added at the end. */
  readonly extensions?: readonly Buffer[];
  readonly serial?: Uint8Array;
  /** Written outside instead of the algorithm that signs. */
  readonly outerAlgorithm?: Buffer;
  readonly signature?: SignatureKind;
}

export type SignatureKind = 'sha256' | 'sha384' | 'sha512' | 'sha1' | 'pss-sha256';

export interface CertificateIssuer {
  /** Name, DER. */
  readonly name: Buffer;
  readonly keys: KeyPair;
  /** As the issuer's own certificate has it; default: made here from its key. */
  readonly keyId?: Buffer;
}

export function makeKeys(type: TestKeyType = 'P-256'): KeyPair {
  if (type === 'Ed25519') return generateKeyPairSync('ed25519');
  if (type.startsWith('RSA-')) return generateKeyPairSync('rsa', { modulusLength: Number(type.slice(4)) });
  return generateKeyPairSync('ec', { namedCurve: type });
}

export const spkiOf = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' });

export function commonName(text: string): Buffer {
  return text === '' ? seq() : seq(set(seq(oid(OID.commonName), utf8(text))));
}

/** RFC 5280 §4.2.1.2 (1): SHA-1 of the key's bits. */
export function keyIdOf(key: KeyObject): Buffer {
  const spki = spkiOf(key);
  // Good enough for a test: any digest of the key identifies it.
  return createHash('sha1').update(spki).digest();
}

/** A certificate for `subjectKey`, signed by `issuer`. */
export function buildCertificate(
  issuer: CertificateIssuer,
  subjectKey: KeyObject,
  options: CertificateOptions,
): Buffer {
  const { serial = randomSerial(), notBefore, notAfter, subject = '' } = options;
  const scheme = schemeFor(issuer.keys.privateKey, options.signature);
  const tbs = seq(
    context(0, integer(2)),
    integer(serial),
    scheme.algorithm,
    issuer.name,
    seq(utcOrGeneralTime(notBefore), utcOrGeneralTime(notAfter)),
    commonName(subject),
    spkiOf(subjectKey),
    context(3, seq(...extensionsFor(issuer, subjectKey, options))),
  );
  return seq(tbs, options.outerAlgorithm ?? scheme.algorithm, bits(scheme.sign(tbs)));
}

function extensionsFor(issuer: CertificateIssuer, subjectKey: KeyObject, options: CertificateOptions): Buffer[] {
  const { ca = false, pathLength, keyUsage = [], extendedKeyUsage = [], nameConstraints } = options;
  const names = generalNames(options);
  const basic = [...(ca ? [bool(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)])];
  return [
    ...(options.withoutBasicConstraints ? [] : [extension(OID.basicConstraints, true, seq(...basic))]),
    ...(keyUsage.length > 0 ? [extension(OID.keyUsage, options.keyUsageCritical ?? true, namedBits(...keyUsage))] : []),
    ...(extendedKeyUsage.length > 0 ? [extension(OID.extendedKeyUsage, false, seq(...extendedKeyUsage.map(oid)))] : []),
    extension(OID.subjectKeyIdentifier, false, octets(keyIdOf(subjectKey))),
    extension(
      OID.authorityKeyIdentifier,
      false,
      seq(contextPrimitive(0, issuer.keyId ?? keyIdOf(issuer.keys.publicKey))),
    ),
    ...(names.length > 0
      ? [extension(OID.subjectAltName, options.namesCritical ?? !options.subject, seq(...names))]
      : []),
    ...(nameConstraints ? [uriConstraints(nameConstraints)] : []),
    ...(options.extensions ?? []),
  ];
}

function generalNames({ uris = [], dnsNames = [], ipAddresses = [] }: CertificateOptions): Buffer[] {
  return [
    ...uris.map((uri) => contextPrimitive(6, Buffer.from(uri, 'latin1'))),
    ...dnsNames.map((name) => contextPrimitive(2, Buffer.from(name, 'latin1'))),
    ...ipAddresses.map((address) => contextPrimitive(7, Buffer.from(address.split('.').map(Number)))),
  ];
}

function uriConstraints({ permitted = [], excluded = [] }: NonNullable<CertificateOptions['nameConstraints']>): Buffer {
  const subtrees = (hosts: readonly string[]) => hosts.map((host) => seq(contextPrimitive(6, Buffer.from(host))));
  return extension(
    OID.nameConstraints,
    true,
    seq(
      ...(permitted.length > 0 ? [context(0, ...subtrees(permitted))] : []),
      ...(excluded.length > 0 ? [context(1, ...subtrees(excluded))] : []),
    ),
  );
}

const SHA1_OIDS = { ec: '1.2.840.10045.4.1', rsa: '1.2.840.113549.1.1.5' };
const ECDSA_OIDS = {
  sha256: OID.ecdsaWithSha256,
  sha384: OID.ecdsaWithSha384,
  sha512: OID.ecdsaWithSha512,
  sha1: SHA1_OIDS.ec,
};
const RSA_OIDS = {
  sha256: OID.sha256WithRsa,
  sha384: OID.sha384WithRsa,
  sha512: OID.sha512WithRsa,
  sha1: SHA1_OIDS.rsa,
};

function schemeFor(key: KeyObject, kind: SignatureKind = 'sha256'): { algorithm: Buffer; sign(bytes: Buffer): Buffer } {
  if (key.asymmetricKeyType === 'ed25519') {
    return { algorithm: seq(oid(OID.ed25519)), sign: (bytes) => sign(null, bytes, key) };
  }
  if (kind === 'pss-sha256') {
    // RSA_PKCS1_PSS_PADDING is 6.
    return { algorithm: pssAlgorithm(), sign: (bytes) => sign('sha256', bytes, { key, padding: 6, saltLength: 32 }) };
  }
  const algorithm = key.asymmetricKeyType === 'rsa' ? seq(oid(RSA_OIDS[kind]), nil()) : seq(oid(ECDSA_OIDS[kind]));
  return { algorithm, sign: (bytes) => sign(kind, bytes, key) };
}

/** RFC 4055 §3.1. */
function pssAlgorithm(): Buffer {
  const hash = seq(oid(OID.sha256), nil());
  return seq(oid(OID.rsaPss), seq(context(0, hash), context(1, seq(oid(OID.mgf1), hash)), context(2, integer(32))));
}

function randomSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial;
}
