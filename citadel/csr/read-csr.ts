/**
 * A certificate signing request from the text that a caller sent: size, PEM, PKCS#10 in strict DER, each with its
 * own refusal. It looks at no content; whether the request may be granted is decided by csr-rules.ts.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import { type ParsedCsr, parseCsr } from '../../shared/x509/csr.ts';
import { DerError } from '../../shared/x509/der-reader.ts';
import { decodePem, PemError } from '../../shared/x509/pem.ts';

/** Characters. RSA-8192 with a SAN has about 3 KiB, P-256 about 500 bytes. */
const MOST_PEM = 16 * 1024;

/** @throws {Refusal} csr_missing, csr_too_large, csr_malformed */
export function readCsr(pem: string): ParsedCsr {
  if (pem.trim() === '') throw new Refusal('csr_missing');
  if (pem.length > MOST_PEM) throw new Refusal('csr_too_large', `${pem.length} characters`);
  try {
    const [der] = decodePem(pem, 'CERTIFICATE REQUEST', 1);
    return parseCsr(der!);
  } catch (error) {
    // Neither error repeats the text, so its words may go to the log.
    if (error instanceof PemError || error instanceof DerError)
      throw new Refusal('csr_malformed', { detail: error.message, cause: error });
    throw error;
  }
}
