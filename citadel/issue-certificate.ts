/**
 * One certificate, from request to answer. The order is the security argument: identity comes from the token and
 * never from the CSR; a CSR proves its key before it counts as a use of the token; and nothing leaves before our
 * own verifier accepted it as a peer's and the journal has it on disk. The rules are not exchangeable, only the
 * parts that touch the world are.
 */
import type { Receipt } from '../shared/api/messages.ts';
import type { Clock } from '../shared/clock/clock.ts';
import { Refusal } from '../shared/errors/refusal.ts';
import type { ParsedCsr } from '../shared/x509/csr.ts';
import { encodePem } from '../shared/x509/pem.ts';
import { type VerifiedSvid, verifyLeafUnder } from '../shared/x509/verify-svid.ts';
import type { Attested } from './attest/attestor.ts';
import type { Sighting } from './attest/replay-window.ts';
import type { Authority, SignedCertificate } from './authority/authority.ts';
import { checkCsr } from './csr/csr-rules.ts';
import { readCsr } from './csr/read-csr.ts';
import type { JournalEntry } from './ledger/journal.ts';
import { type Grant, grantIdentity, type IdentityPolicy } from './registry/identity-rules.ts';

export interface CertificateRequest {
  readonly token: string;
  readonly csrPem: string;
  readonly ttlSeconds?: number;
  /** IP address of the caller. */
  readonly address: string;
  readonly requestId: string;
}

export interface IssuedCertificate {
  readonly spiffeId: string;
  /** PEM, leaf first. */
  readonly certificateChain: readonly string[];
  /** PEM; the same array as long as the bundle is the same. */
  readonly trustBundle: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** When we would renew: in the middle of what is left. */
  readonly renewAt: number;
  readonly receipt: Receipt;
  /** SHA-256 of the key that was certified, hex: for the log. */
  readonly keyFingerprint: string;
  readonly attested: Attested;
}

/** What the pipeline needs of the world; chosen in compose.ts. */
export interface IssuingSteps {
  readonly clock: Clock;
  readonly policy: IdentityPolicy;
  /** @throws {Refusal} token_* */
  attest(token: string, signal: AbortSignal): Promise<Attested>;
  /** Called when the CSR has proved its key. @throws {Refusal} when a replay is to be refused */
  noticeUse(sighting: Sighting): void;
  /** The authority at this moment; one request is served by one. */
  authority(): Authority;
  /** Resolves with the number of the entry when it is durable. @throws {Refusal} journal_unavailable */
  record(entry: JournalEntry): Promise<number>;
}

/**
 * Waits for nothing: it lets the other requests of this turn reach the same point, so that one kind of work is done
 * for all of them in a row. Processors like that (a twentieth of the cost of a certificate).
 */
const IN_STEP = Promise.resolve();

/** @throws {Refusal} when a step says no; nothing was handed out then, and nothing recorded without being signed */
export async function issueCertificate(
  steps: IssuingSteps,
  request: CertificateRequest,
  signal: AbortSignal,
): Promise<IssuedCertificate> {
  const attested = await steps.attest(request.token, signal);
  signal.throwIfAborted();
  const now = steps.clock.now();
  const authority = steps.authority();
  const grant = grantIdentity(steps.policy, attested, request.ttlSeconds, now, authority.issuer.certificate.notAfter);
  const csr = readCsr(request.csrPem);
  checkCsr(csr, grant.spiffeId.uri);
  await IN_STEP;
  steps.noticeUse(sightingOf(request, attested, grant, csr));
  const { notBefore, notAfter } = grant;
  const signed = authority.signLeaf({ spki: csr.spki, spiffeId: grant.spiffeId.uri, notBefore, notAfter });
  await IN_STEP;
  const verified = verifyAsPeer(signed, authority, grant, csr, now);
  const entry = await steps.record(entryOf(request, attested, grant, csr, verified, now));
  return {
    spiffeId: grant.spiffeId.uri,
    certificateChain: [encodePem('CERTIFICATE', signed.der), ...authority.chainPem],
    trustBundle: authority.rootPem,
    notBefore,
    notAfter,
    renewAt: now + (notAfter - now) / 2,
    receipt: { entry, serial: verified.leaf.serial },
    keyFingerprint: csr.keyFingerprint,
    attested,
  };
}

/** What a peer would say, and that the certificate is the one that was granted, byte for byte. */
function verifyAsPeer(
  { der, serial }: SignedCertificate,
  authority: Authority,
  grant: Grant,
  csr: ParsedCsr,
  now: number,
): VerifiedSvid {
  try {
    const verified = verifyLeafUnder(der, authority.issuer, now);
    const { leaf } = verified;
    const granted =
      leaf.serial === serial &&
      leaf.notBefore === grant.notBefore &&
      leaf.notAfter === grant.notAfter &&
      verified.spiffeId.uri === grant.spiffeId.uri &&
      leaf.spki.equals(csr.spki);
    if (!granted) throw new Refusal('certificate_self_check_failed', 'not what was granted');
    return verified;
  } catch (error) {
    const reason = error instanceof Refusal ? `${error.code} ${error.detail}` : String(error);
    throw new Refusal('certificate_self_check_failed', { detail: reason, cause: error });
  }
}

function sightingOf(request: CertificateRequest, attested: Attested, grant: Grant, csr: ParsedCsr): Sighting {
  return {
    tokenId: attested.tokenId,
    podUid: attested.podUid,
    spiffeId: grant.spiffeId.uri,
    keyFingerprint: csr.keyFingerprint,
    address: request.address,
    tokenExpiresAt: attested.tokenExpiresAt,
  };
}

function entryOf(
  request: CertificateRequest,
  attested: Attested,
  grant: Grant,
  csr: ParsedCsr,
  { leaf }: VerifiedSvid,
  now: number,
): JournalEntry {
  const { podUid, podName, namespace, serviceAccount, nodeName, tokenId } = attested;
  return {
    serial: leaf.serial,
    spiffeId: grant.spiffeId.uri,
    podUid,
    podName,
    namespace,
    serviceAccount,
    ...(nodeName === undefined ? {} : { nodeName }),
    tokenId,
    keyFingerprint: csr.keyFingerprint,
    certificateHash: leaf.fingerprint,
    notBefore: grant.notBefore,
    notAfter: grant.notAfter,
    recordedAt: now,
    requestId: request.requestId,
    decision: 'issued',
  };
}
