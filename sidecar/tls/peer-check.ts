/**
 * Who is at the other end: the second of two verifications. OpenSSL has checked the chain against the union of
 * all bundles; here the chain that was sent is walked again under the bundle of the leaf's OWN trust domain
 * (SPIFFE Federation §4.2: bundles are never merged) and held against the rules for SVIDs.
 * To be called when the handshake is done and before any byte is handled. It authorises nothing.
 */
import type { TLSSocket } from 'node:tls';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { SpiffeId } from '../../shared/spiffe/spiffe-id.ts';
import { readCertificate } from '../../shared/x509/certificate.ts';
import type { TrustAnchors } from '../../shared/x509/trust-anchors.ts';
import { verifySvid } from '../../shared/x509/verify-svid.ts';

/** A peer that has proved who it is. */
export interface VerifiedPeer {
  readonly spiffeId: SpiffeId;
  /** Milliseconds since the Unix epoch: the earliest end of anything in its chain. */
  readonly notAfter: number;
  /** SHA-256 of the leaf's DER, hex. */
  readonly certificateHash: string;
  /** Lowercase hex. */
  readonly serial: string;
  /** DER of the leaf and the intermediates that it was verified by: under a newer bundle it is verified again. */
  readonly chain: readonly Buffer[];
}

/** More certificates than any verifiable chain has: the rest is not even read. */
const LONGEST_CHAIN = 10;
/** Characters of a peer's own words in our log. */
const LONGEST_CLAIM = 256;

/** @throws {Refusal} peer_* */
export function checkPeer(socket: TLSSocket, trust: TrustAnchors, now: number): VerifiedPeer {
  // On a resumed session neither side proves anything: an expired or replaced identity would come back to life.
  if (socket.isSessionReused()) throw new Refusal('peer_session_resumed');
  const chain = sentChain(socket);
  if (chain.length === 0) throw new Refusal('peer_certificate_missing');
  const { spiffeId, leaf, notAfter, path } = verifySvid(chain, trust, now);
  const verified = path.map(({ der }) => der);
  return { spiffeId, notAfter, certificateHash: leaf.fingerprint, serial: leaf.serial, chain: verified };
}

/** What a peer says it is, for the log of a refusal: not verified, not even plausible, but bounded. */
export function claimOf(socket: TLSSocket): string {
  const der = socket.getPeerX509Certificate()?.raw;
  if (!der) return 'presented no certificate';
  try {
    const { uriNames, serial } = readCertificate(der);
    return `claims ${(uriNames[0] ?? 'no URI name').slice(0, LONGEST_CLAIM)}, serial ${serial.slice(0, LONGEST_CLAIM)}`;
  } catch (error) {
    return `presented an unreadable certificate (${error instanceof Error ? error.message : String(error)})`.slice(
      0,
      LONGEST_CLAIM,
    );
  }
}

/** The certificates that the peer sent, leaf first, as DER. */
function sentChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < LONGEST_CHAIN) {
    const der = certificate.raw;
    if (chain.at(-1)?.equals(der)) break;
    chain.push(der);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
