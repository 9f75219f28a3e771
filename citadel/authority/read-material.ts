/**
 * From the texts of an authority's files to its parts in order: signing certificate, key, the path upward, roots.
 * Both shapes come out the same, whether citadel made the files or an operator plugged them in. It only orders
 * what is there; check-chain.ts judges it. No refusal repeats the content of a file.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { Refusal } from '../../shared/errors/refusal.ts';
import { type Certificate, readCertificate } from '../../shared/x509/certificate.ts';
import { DerError } from '../../shared/x509/der-reader.ts';
import { decodePem, PemError } from '../../shared/x509/pem.ts';
import type { AuthorityMaterial } from './authority.ts';
import type { AuthorityTexts, NamedText } from './authority-files.ts';

const MOST_CERTIFICATES = 64;
/** Certificates between leaf and root; more is no sensible hierarchy. */
const LONGEST_PATH = 6;

/** @throws {Refusal} authority_malformed, authority_chain_invalid */
export function readMaterial(texts: AuthorityTexts): AuthorityMaterial {
  const own = readCertificates(texts.certificate);
  const signing = own[0]!;
  // Istio's cert-chain.pem may repeat the signing certificate and may end in the root: both are found again below.
  const chain = [
    ...own.slice(1),
    ...(texts.chain === undefined || isBlank(texts.chain) ? [] : readCertificates(texts.chain)),
  ];
  const roots = unique(texts.roots === undefined ? own.filter(isSelfIssued) : readCertificates(texts.roots));
  const { path, root } = pathOf(signing, chain, roots, texts.chain?.file ?? texts.certificate.file);
  const files = {
    certificate: texts.certificate.file,
    key: texts.key.file,
    roots: texts.roots?.file ?? texts.certificate.file,
  };
  return { signing, privateKey: readPrivateKey(texts.key), path, root, roots, files };
}

/** @throws {Refusal} authority_malformed */
export function readPrivateKey({ file, text }: NamedText): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // OpenSSL's own words name no cause that an operator would know.
    const reason = /ENCRYPTED/.test(text) ? 'the key is encrypted' : 'not an unencrypted private key in PEM';
    throw new Refusal('authority_malformed', `${file}: ${reason}`);
  }
}

/** @throws {Refusal} authority_malformed */
export function readCertificates({ file, text }: NamedText): Certificate[] {
  try {
    return decodePem(text, 'CERTIFICATE', MOST_CERTIFICATES).map((der) => readCertificate(der));
  } catch (error) {
    if (error instanceof PemError || error instanceof DerError) {
      throw new Refusal('authority_malformed', { detail: `${file}: ${error.message}`, cause: error });
    }
    throw error;
  }
}

/** Upward from the signing certificate, by name and signature, until a root is reached. */
function pathOf(
  signing: Certificate,
  chain: readonly Certificate[],
  roots: readonly Certificate[],
  file: string,
): { path: Certificate[]; root: Certificate } {
  const path: Certificate[] = [];
  let current: Certificate | undefined = signing;
  while (current !== undefined && path.length <= LONGEST_PATH) {
    const subject: Certificate = current;
    const itself = roots.find(({ fingerprint }) => fingerprint === subject.fingerprint);
    if (itself) return { path, root: itself };
    path.push(subject);
    const above = roots.find((root) => hasSigned(root, subject));
    if (above) return { path, root: above };
    current = chain.find(
      (issuer) => !path.includes(issuer) && issuer.fingerprint !== subject.fingerprint && hasSigned(issuer, subject),
    );
  }
  throw new Refusal('authority_chain_invalid', `${file}: no path from the signing certificate to a root`);
}

/** Name and signature only: whether the issuer may sign has an own refusal in check-chain.ts. */
function hasSigned(issuer: Certificate, subject: Certificate): boolean {
  if (!subject.issuer.equals(issuer.subject)) return false;
  try {
    return new X509Certificate(subject.der).verify(new X509Certificate(issuer.der).publicKey);
  } catch {
    // A key that OpenSSL cannot use has signed nothing.
    return false;
  }
}

function isSelfIssued(certificate: Certificate): boolean {
  return certificate.issuer.equals(certificate.subject);
}

function isBlank({ text }: NamedText): boolean {
  return text.trim() === '';
}

function unique(certificates: readonly Certificate[]): Certificate[] {
  return [...new Map(certificates.map((one) => [one.fingerprint, one])).values()];
}
