/**
 * What the bytes of a file are: certificates, a CSR, private keys, a SPIFFE bundle, or an answer of the API; each
 * with its facts and, by the same rules that citadel and sidecar use, its problems. Pure; a key is never shown.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Refusal } from '../../shared/errors/refusal.ts';
import { decodeBundle } from '../../shared/spiffe/trust-bundle.ts';
import { type Certificate, readCertificate } from '../../shared/x509/certificate.ts';
import { parseCsr } from '../../shared/x509/csr.ts';
import { issuerFlaw } from '../../shared/x509/issuer-rules.ts';
import { keyKindOf } from '../../shared/x509/key-kind.ts';
import { decodePem } from '../../shared/x509/pem.ts';
import { checkSvidLeaf } from '../../shared/x509/svid-rules.ts';
import { checkCsr } from '../csr/csr-rules.ts';

export interface Finding {
  readonly what: string;
  readonly facts: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly problems: readonly string[];
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;

/** At least one finding: something that is not understood is one too. */
export function inspectContent(bytes: Buffer, now: number): Finding[] {
  const text = bytes.toString('latin1');
  if (text.trimStart().startsWith('{')) return inspectJson(bytes, now);
  const blocks = [...text.matchAll(PEM_BLOCK)];
  if (blocks.length > 0)
    return blocks.map(([block, label]) => tried(label ?? '', () => inspectBlock(block, label ?? '', now)));
  // DER of everything we know begins with a SEQUENCE.
  if (bytes[0] === 0x30) return [tried('DER', () => inspectDer(bytes, now))];
  return [{ what: 'something else', facts: { bytes: bytes.length }, problems: ['neither PEM nor DER nor JSON'] }];
}

function inspectBlock(block: string, label: string, now: number): Finding {
  if (label.endsWith('PRIVATE KEY')) return inspectKey(block);
  if (label === 'CERTIFICATE') return inspectCertificate(readCertificate(decodePem(block, label)[0]!), now);
  if (label === 'CERTIFICATE REQUEST') return inspectCsr(decodePem(block, label)[0]!);
  return { what: label, facts: {}, problems: [`a PEM block of label ${label} is not understood here`] };
}

/** Whatever is not well-formed becomes a problem; the words of our readers never repeat what they read. */
function tried(what: string, look: () => Finding): Finding {
  try {
    return look();
  } catch (error) {
    return { what: what.toLowerCase(), facts: {}, problems: [`malformed: ${(error as Error).message}`] };
  }
}

function inspectDer(bytes: Buffer, now: number): Finding {
  try {
    return inspectCertificate(readCertificate(bytes), now);
  } catch (error) {
    // The two begin alike; what neither reader takes is reported as the certificate that it is not.
    if (!isCsr(bytes)) throw error;
    return inspectCsr(bytes);
  }
}

function isCsr(bytes: Buffer): boolean {
  try {
    return parseCsr(bytes).der.length > 0;
  } catch {
    return false; // the question was whether it is one
  }
}

function inspectCertificate(certificate: Certificate, now: number): Finding {
  const { isCa, serial, notBefore, notAfter, fingerprint, uriNames } = certificate;
  const named = new X509Certificate(certificate.der);
  const constraints = certificate.uriNameConstraints;
  return {
    what: isCa ? 'certificate of an authority' : 'certificate',
    facts: {
      subject: named.subject?.replaceAll('\n', ', ') || '(empty)',
      issuer: named.issuer?.replaceAll('\n', ', ') || '(empty)',
      serial,
      notBefore: new Date(notBefore).toISOString(),
      notAfter: `${new Date(notAfter).toISOString()} (${distance(notAfter - now)})`,
      uriNames,
      otherNames: certificate.otherNames,
      key: kindOf(certificate.spki),
      ...(certificate.pathLength === undefined ? {} : { pathLength: certificate.pathLength }),
      ...(constraints ? { allowedHosts: constraints.permitted, deniedHosts: constraints.excluded } : {}),
      sha256: fingerprint,
    },
    problems: [...timeProblems(certificate, now), ...(isCa ? issuerProblems(certificate) : leafProblems(certificate))],
  };
}

function timeProblems({ notBefore, notAfter }: Certificate, now: number): string[] {
  if (now > notAfter) return ['peer_certificate_expired: it has expired'];
  return now < notBefore ? ['peer_certificate_not_yet_valid: it is not valid yet'] : [];
}

function issuerProblems(certificate: Certificate): string[] {
  const flaw = issuerFlaw(certificate);
  return flaw === undefined ? [] : [`broken rule: ${flaw}`];
}

function leafProblems(certificate: Certificate): string[] {
  return refusalIn(() => checkSvidLeaf(certificate));
}

function inspectCsr(der: Buffer): Finding {
  const csr = parseCsr(der);
  const { uriNames, otherNames, keyFingerprint } = csr;
  return {
    what: 'certificate signing request',
    facts: {
      uriNames,
      otherNames,
      key: kindOf(csr.spki),
      keySha256: keyFingerprint,
    },
    // Whatever name it asks for counts as its own: which one it may have is not known here.
    problems: refusalIn(() => checkCsr(csr, uriNames[0] ?? '')),
  };
}

function inspectKey(pem: string): Finding {
  let kind: string;
  try {
    const { asymmetricKeyType = 'unknown', asymmetricKeyDetails } = createPrivateKey(pem);
    kind = [asymmetricKeyType, asymmetricKeyDetails?.namedCurve, asymmetricKeyDetails?.modulusLength]
      .filter(Boolean)
      .join(' ');
  } catch {
    return { what: 'private key', facts: {}, problems: ['it cannot be read: damaged, or encrypted'] };
  }
  return { what: 'private key', facts: { kind, content: 'never shown' }, problems: [] };
}

function inspectJson(bytes: Buffer, now: number): Finding[] {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    return [{ what: 'JSON', facts: {}, problems: ['it begins like JSON and is none'] }];
  }
  const { certificateChain, trustBundle, keys, csr } = json as Record<string, unknown>;
  if (Array.isArray(certificateChain) && Array.isArray(trustBundle)) {
    return inspectContent(Buffer.from([...certificateChain, ...trustBundle].join('\n')), now);
  }
  if (typeof csr === 'string') return inspectContent(Buffer.from(csr), now);
  if (!Array.isArray(keys))
    return [
      { what: 'JSON', facts: {}, problems: ['neither a SPIFFE bundle nor a request to or an answer of citadel'] },
    ];
  return inspectBundle(json, now);
}

function inspectBundle(json: unknown, now: number): Finding[] {
  try {
    // A bundle does not say whose it is; any name will do for reading it.
    const { sequence, refreshHintSeconds, authorities } = decodeBundle('unknown', json);
    const facts = { sequence, refreshHint: `${refreshHintSeconds} s`, authorities: authorities.length };
    const bundle = {
      what: 'SPIFFE bundle',
      facts,
      problems: authorities.length === 0 ? ['no authority: every SVID is refused'] : [],
    };
    return [
      bundle,
      ...authorities.map((der) => tried('certificate', () => inspectCertificate(readCertificate(der), now))),
    ];
  } catch (error) {
    return [{ what: 'SPIFFE bundle', facts: {}, problems: [`malformed: ${(error as Error).message}`] }];
  }
}

function refusalIn(check: () => unknown): string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return [`${error.code}: ${error.message}${error.detail === '' ? '' : ` (${error.detail})`}`];
  }
}

function kindOf(spki: Buffer): string {
  const { kind, bits } = keyKindOf(spki);
  return kind === 'RSA' || kind === 'unsupported' ? `${kind} ${bits}` : kind;
}

function distance(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  const [amount, unit] =
    seconds < 7200
      ? [seconds / 60, 'minutes']
      : seconds < 172_800
        ? [seconds / 3600, 'hours']
        : [seconds / 86_400, 'days'];
  return ms < 0 ? `${amount.toFixed(0)} ${unit} ago` : `in ${amount.toFixed(0)} ${unit}`;
}
