/** Why citadel refuses a certificate signing request. Part of the one table in refusal.ts. */
import type { RefusalEntry } from './refusal.ts';

export const CSR_REFUSALS = {
  csr_missing: {
    status: 400,
    message: 'The request carries no CSR.',
    help: 'Send a JSON body `{"csr": "<PEM CERTIFICATE REQUEST>"}`.',
  },
  csr_too_large: {
    status: 400,
    message: 'The CSR is larger than 16 KiB.',
    help: 'A CSR with one P-256 key has about 500 bytes.',
  },
  csr_malformed: {
    status: 400,
    message: 'The CSR is not a PKCS#10 request in DER.',
    help: 'Try `openssl req -in request.pem -noout -text`.',
  },
  csr_signature_invalid: {
    status: 400,
    message: 'The CSR is not signed by the key it carries.',
    help: 'The signature proves possession of the private key (RFC 2986 §4.2). Sign the CSR with the key that it names.',
  },
  csr_key_unsupported: {
    status: 400,
    message: 'The key of the CSR is of a kind or size that is not accepted.',
    help: 'Accepted are ECDSA P-256 and P-384, Ed25519, and RSA from 2048 to 8192 bits.',
  },
  csr_extension_duplicate: {
    status: 400,
    message: 'The CSR asks for the same extension twice.',
    help: 'RFC 5280 §4.2 allows each extension once.',
  },
  csr_extension_critical_unknown: {
    status: 400,
    message: 'The CSR asks for a critical extension that citadel does not know.',
    help: 'Leave extensions out: citadel sets them all itself.',
  },
  csr_ca_requested: {
    status: 403,
    message: 'The CSR asks to be a certificate authority.',
    help: 'citadel issues leaf certificates only.',
  },
  csr_names_several: {
    status: 400,
    message: 'The CSR asks for several names.',
    help: 'An X.509-SVID has exactly one URI name (SPIFFE X509-SVID §2). Leave the names out or ask for exactly your own.',
  },
  csr_identity_mismatch: {
    status: 403,
    message: 'The CSR asks for a name that the token does not prove.',
    help: 'Leave the names out or ask for exactly the SPIFFE ID of the token’s service account.',
  },
} as const satisfies Record<string, RefusalEntry>;
