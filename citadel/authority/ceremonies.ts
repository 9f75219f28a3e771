/**
 * Makes the certificates of an authority: the root, and the intermediate that signs for a month. The only file that
 * knows @peculiar/x509; it is loaded when an authority is created or renewed, never on the way to a leaf. It gets
 * the keys from its caller and stores nothing.
 */
// @peculiar/x509 2.x needs this first and does not bring it along.
import 'reflect-metadata';
import type { KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { context, contextPrimitive, seq } from '../../shared/x509/der-writer.ts';
import { OID } from '../../shared/x509/oids.ts';
import { keyIdentifierOf } from './key-identifier.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface CeremonyRequest {
  readonly trustDomain: string;
  readonly keys: KeyPair;
  readonly serial: Buffer;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface IssuingRoot {
  /** DER. */
  readonly certificate: Buffer;
  readonly privateKey: KeyObject;
  /** Milliseconds since the Unix epoch. */
  readonly notAfter: number;
}

const ROOT_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
const AUTHORITY_USAGES = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;

/** @returns a self-signed root in DER; its keys must be P-384 */
export async function createRoot(request: CeremonyRequest): Promise<Buffer> {
  const name = authorityName('root', request.keys.publicKey);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...common(request),
    name,
    keys: {
      privateKey: signingKey(request.keys.privateKey),
      publicKey: request.keys.publicKey.toCryptoKey(ROOT_ALGORITHM, true, ['verify']),
    },
    signingAlgorithm: ROOT_ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true), ...authorityExtensions(request)],
  });
  return Buffer.from(certificate.rawData);
}

/** @returns an intermediate in DER that may sign leaves of its trust domain only; the root's key must be P-384 */
export async function createIntermediate(request: CeremonyRequest, root: IssuingRoot): Promise<Buffer> {
  const issuer = new x509.X509Certificate(root.certificate);
  // As it stands in the root: one that an operator made may identify its key in another way than ours.
  const issuerKeyId =
    issuer.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ??
    keyIdentifierOf(Buffer.from(issuer.publicKey.rawData)).toString('hex');
  const certificate = await x509.X509CertificateGenerator.create({
    ...common(request),
    subject: authorityName('intermediate', request.keys.publicKey),
    // The name as parsed, not as text: its encoding must stay the same, octet for octet (RFC 5280 §4.1.2.4).
    issuer: issuer.subjectName,
    publicKey: new x509.PublicKey(spkiOf(request.keys.publicKey)),
    signingKey: signingKey(root.privateKey),
    signingAlgorithm: ROOT_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      ...authorityExtensions(request),
      new x509.AuthorityKeyIdentifierExtension(issuerKeyId),
      trustDomainConstraint(request.trustDomain),
    ],
  });
  return Buffer.from(certificate.rawData);
}

function common({ serial, notBefore, notAfter }: CeremonyRequest): {
  serialNumber: string;
  notBefore: Date;
  notAfter: Date;
} {
  return { serialNumber: serial.toString('hex'), notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
}

/** SPIFFE X509-SVID §3.2, §4.3: an authority is itself an SVID without a path; its usages are critical. */
function authorityExtensions({ keys, trustDomain }: CeremonyRequest): x509.Extension[] {
  return [
    new x509.KeyUsagesExtension(AUTHORITY_USAGES, true),
    new x509.SubjectKeyIdentifierExtension(keyIdentifierOf(spkiOf(keys.publicKey)).toString('hex')),
    new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
  ];
}

/** RFC 5280 §4.2.1.10: for a URI the constraint is on the host, which in a SPIFFE ID is the trust domain. */
function trustDomainConstraint(trustDomain: string): x509.Extension {
  const permitted = seq(contextPrimitive(6, Buffer.from(trustDomain, 'latin1')));
  return new x509.Extension(OID.nameConstraints, true, seq(context(0, permitted)));
}

/** Every key has its own name, so that no verifier tries the wrong one of two authorities with one name. */
function authorityName(kind: 'root' | 'intermediate', publicKey: KeyObject): string {
  return `O=Sallyport, CN=${kind} ${keyIdentifierOf(spkiOf(publicKey)).toString('hex', 0, 8)}`;
}

function signingKey(privateKey: KeyObject): webcrypto.CryptoKey {
  return privateKey.toCryptoKey(ROOT_ALGORITHM, false, ['sign']);
}

function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}
