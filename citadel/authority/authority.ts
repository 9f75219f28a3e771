/**
 * One state of the authority: a signing certificate with its key, the certificates between it and the roots, and the
 * trust bundle. It signs what it is told to sign; identity and lifetime were decided before. It is never changed:
 * a renewal makes a new one (see authority-keeper.ts).
 */
import type { KeyObject } from 'node:crypto';
import type { Randomness } from '../../shared/clock/clock.ts';
import type { TrustBundle } from '../../shared/spiffe/trust-bundle.ts';
import type { Certificate } from '../../shared/x509/certificate.ts';
import { contextPrimitive } from '../../shared/x509/der-writer.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import type { Issuer } from '../../shared/x509/trust-anchors.ts';
import { addressBytes } from './address-bytes.ts';
import { keyIdentifierOf } from './key-identifier.ts';
import { createLeafTemplate, uriName } from './leaf-template.ts';
import { serialNumber } from './serial-number.ts';
import { softwareSigner } from './software-signer.ts';

/** What an authority is made of, read and ordered but not yet judged (see check-chain.ts). */
export interface AuthorityMaterial {
  readonly signing: Certificate;
  readonly privateKey: KeyObject;
  /** From the signing certificate up to the last one before a root; empty when a root signs itself. */
  readonly path: readonly Certificate[];
  /** The root in which the path ends. */
  readonly root: Certificate;
  /** The content of the trust bundle. */
  readonly roots: readonly Certificate[];
  /** Paths to name in a refusal. */
  readonly files: { readonly certificate: string; readonly key: string; readonly roots: string };
}

/** Times in milliseconds since the Unix epoch. */
export interface LeafRequest {
  readonly spki: Buffer;
  readonly spiffeId: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A certificate for citadel's own HTTPS: also an SVID, with names that ordinary clients check. */
export interface ServingRequest extends LeafRequest {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export interface SignedCertificate {
  readonly der: Buffer;
  /** Lowercase hex. */
  readonly serial: string;
}

/** Milliseconds since the Unix epoch. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface Authority {
  readonly issuer: Issuer;
  /** When every certificate from the signing one up to the root is valid: outside of it no peer takes a leaf. */
  readonly validity: Validity;
  /** PEM blocks of the intermediates to send after the leaf. */
  readonly chainPem: readonly string[];
  readonly bundle: TrustBundle;
  /** PEM blocks of the bundle's certificates. */
  readonly rootPem: readonly string[];
  signLeaf(request: LeafRequest): SignedCertificate;
  signServing(request: ServingRequest): SignedCertificate;
}

/** How often others may look for a changed bundle; well below the 3 to 5 refreshes that a new root waits (SPIFFE Federation §4.1). */
const REFRESH_HINT_SECONDS = 300;

/** @throws {Refusal} authority_key_unsupported */
export function createAuthority(
  material: AuthorityMaterial,
  trustDomain: string,
  sequence: number,
  randomness: Randomness,
): Authority {
  const { signing, path, root, roots } = material;
  const signer = softwareSigner(material.privateKey);
  const keyId = signing.subjectKeyId ?? keyIdentifierOf(signing.spki);
  const template = createLeafTemplate({ name: signing.subject, keyId, signer });
  const sign = (names: Uint8Array, { spki, notBefore, notAfter }: LeafRequest): SignedCertificate => {
    const serial = serialNumber(randomness, notBefore);
    return { der: template.sign({ serial, notBefore, notAfter, spki, names }), serial: serial.toString('hex') };
  };
  const pem = ({ der }: Certificate): string => encodePem('CERTIFICATE', der);
  return {
    issuer: { certificate: signing, key: signer.publicKey },
    validity: commonValidity([signing, ...path, root]),
    chainPem: path.map(pem),
    bundle: {
      trustDomain,
      sequence,
      refreshHintSeconds: REFRESH_HINT_SECONDS,
      authorities: roots.map(({ der }) => der),
    },
    rootPem: roots.map(pem),
    signLeaf: (request) => sign(uriName(request.spiffeId), request),
    signServing: (request) => sign(servingNames(request), request),
  };
}

/** @returns why nothing that is signed now would be taken; undefined when it would */
export function validityProblem({ notBefore, notAfter }: Validity, now: number): string | undefined {
  if (now > notAfter) return `the chain of the signing certificate ended ${new Date(notAfter).toISOString()}`;
  if (now < notBefore) return `the chain of the signing certificate begins ${new Date(notBefore).toISOString()}`;
  return undefined;
}

function commonValidity(chain: readonly Validity[]): Validity {
  return {
    notBefore: Math.max(...chain.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...chain.map(({ notAfter }) => notAfter)),
  };
}

/** RFC 5280 §4.2.1.6: dNSName is [2], iPAddress is [7]. */
function servingNames({ spiffeId, dnsNames, ipAddresses }: ServingRequest): Buffer {
  return Buffer.concat([
    uriName(spiffeId),
    ...dnsNames.map((name) => contextPrimitive(2, Buffer.from(name, 'latin1'))),
    ...ipAddresses.map((address) => contextPrimitive(7, addressBytes(address))),
  ]);
}
