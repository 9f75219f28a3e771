/**
 * From what OpenSSL and Node say about a failed handshake to the code in our table. Pure: it looks at names only.
 * OpenSSL stops at the first fault of a chain, so the code says what is wrong, not everything that is wrong.
 */
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';

export interface HandshakeFailure {
  /** ERR_SSL_…, ERR_TLS_…, an errno name, or the name of a verification fault. */
  readonly code?: string | undefined;
  readonly message: string;
}

/** X509_V_ERR_* as Node names them. */
const VERIFY_FAULTS: ReadonlyMap<string, RefusalCode> = new Map(
  Object.entries<RefusalCode>({
    CERT_HAS_EXPIRED: 'peer_certificate_expired',
    CERT_NOT_YET_VALID: 'peer_certificate_not_yet_valid',
    ERROR_IN_CERT_NOT_BEFORE_FIELD: 'peer_certificate_malformed',
    ERROR_IN_CERT_NOT_AFTER_FIELD: 'peer_certificate_malformed',
    UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: 'peer_certificate_malformed',
    INVALID_PURPOSE: 'peer_key_usage_invalid',
    UNABLE_TO_GET_ISSUER_CERT: 'peer_untrusted',
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'peer_untrusted',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'peer_untrusted',
    UNABLE_TO_DECRYPT_CERT_SIGNATURE: 'peer_untrusted',
    CERT_SIGNATURE_FAILURE: 'peer_untrusted',
    SELF_SIGNED_CERT_IN_CHAIN: 'peer_untrusted',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'peer_untrusted',
    CERT_CHAIN_TOO_LONG: 'peer_untrusted',
    PATH_LENGTH_EXCEEDED: 'peer_untrusted',
    INVALID_CA: 'peer_untrusted',
    CERT_REVOKED: 'peer_untrusted',
    CERT_UNTRUSTED: 'peer_untrusted',
    CERT_REJECTED: 'peer_untrusted',
    // Node has no name of its own for name constraints and unknown critical extensions, among others.
    UNSPECIFIED: 'peer_untrusted',
  }),
);

/** First bytes that are no TLS record. OpenSSL tells HTTP, and a request to an HTTP proxy, from the rest. */
const PLAINTEXT_FAULTS: ReadonlySet<string> = new Set([
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_UNKNOWN_PROTOCOL',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
]);

/** The handshake went well, but the chain did not verify. @param fault `authorizationError` of the socket */
export function refusalOfVerification(fault: string): Refusal {
  return new Refusal(VERIFY_FAULTS.get(fault) ?? 'peer_untrusted', `OpenSSL: ${fault}`);
}

/** The handshake did not come to an end. */
export function refusalOfHandshake({ code = '', message }: HandshakeFailure): Refusal {
  if (VERIFY_FAULTS.has(code)) return refusalOfVerification(code);
  return new Refusal(codeOf(code), `${code} ${reasonIn(message)}`.trim());
}

function codeOf(code: string): RefusalCode {
  if (PLAINTEXT_FAULTS.has(code)) return 'peer_plaintext';
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'peer_handshake_timeout';
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'peer_certificate_missing';
  return 'peer_tls_failed';
}

/** OpenSSL's own words, without the source file and line around them. */
function reasonIn(message: string): string {
  const parts = message.split(':');
  return (parts.length > 5 ? parts[5]! : message).trim().slice(0, 120);
}
