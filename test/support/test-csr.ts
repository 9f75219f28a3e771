/**
 * Builds one CSR of any kind, good by default and wrong in exactly what the options say. Unlike the product's
 * builder it writes what citadel must refuse.
 */
import { type KeyObject, sign } from 'node:crypto';
import {
  bits,
  bool,
  context,
  contextPrimitive,
  extension,
  integer,
  nil,
  oid,
  seq,
  set,
} from '../../shared/x509/der-writer.ts';
import { OID } from '../../shared/x509/oids.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { type KeyPair, makeKeys, spkiOf } from './test-certificate.ts';

export interface TestCsrOptions {
  readonly keys?: KeyPair;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ca?: boolean;
  /** Encoded, added at the end. */
  readonly extensions?: readonly Buffer[];
  /** Signs instead of the key that the CSR carries. */
  readonly signedBy?: KeyObject;
}

export function testCsr(options: TestCsrOptions = {}): Buffer {
  const { keys = makeKeys(), uris = [], dnsNames = [], ca = false } = options;
  const names = [
    ...uris.map((uri) => contextPrimitive(6, Buffer.from(uri, 'latin1'))),
    ...dnsNames.map((name) => contextPrimitive(2, Buffer.from(name, 'latin1'))),
  ];
  const extensions = [
    ...(names.length > 0 ? [extension(OID.subjectAltName, false, seq(...names))] : []),
    ...(ca ? [extension(OID.basicConstraints, true, seq(bool(true)))] : []),
    ...(options.extensions ?? []),
  ];
  const attributes = extensions.length > 0 ? [seq(oid(OID.extensionRequest), set(seq(...extensions)))] : [];
  const info = seq(integer(0), seq(), spkiOf(keys.publicKey), context(0, ...attributes));
  const signer = options.signedBy ?? keys.privateKey;
  const { algorithm, hash } = schemeFor(signer);
  return seq(info, algorithm, bits(sign(hash, info, signer)));
}

export function testCsrPem(options: TestCsrOptions = {}): string {
  return encodePem('CERTIFICATE REQUEST', testCsr(options));
}

function schemeFor(key: KeyObject): { algorithm: Buffer; hash: string | null } {
  if (key.asymmetricKeyType === 'ed25519') return { algorithm: seq(oid(OID.ed25519)), hash: null };
  if (key.asymmetricKeyType === 'rsa') return { algorithm: seq(oid(OID.sha256WithRsa), nil()), hash: 'sha256' };
  return { algorithm: seq(oid(OID.ecdsaWithSha256)), hash: 'sha256' };
}
