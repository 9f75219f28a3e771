/** Why a TLS peer or its certificate is refused, by the sidecar and by citadel's own check. Part of the one table in refusal.ts. */
import type { RefusalEntry } from './refusal.ts';

export const PEER_REFUSALS = {
  peer_plaintext: {
    status: 400,
    message: 'The peer spoke plaintext where mutual TLS is required.',
    help: 'Call through a sidecar, or present an SVID with TLS 1.3.',
  },
  peer_tls_failed: {
    status: 400,
    message: 'The TLS handshake with the peer failed.',
    help: 'Only TLS 1.3 is spoken. The log carries the reason that OpenSSL gave.',
  },
  peer_handshake_timeout: {
    status: 408,
    message: 'The peer did not finish the TLS handshake in time.',
    help: 'See `limits.handshakeSeconds`. A peer that connects and stays silent ends here, and earlier when many do so at once: the log says which.',
  },
  peer_certificate_missing: {
    status: 401,
    message: 'The peer presented no certificate.',
    help: 'Mutual TLS needs a client certificate: an SVID from citadel.',
  },
  peer_certificate_malformed: {
    status: 401,
    message: 'The certificate of the peer cannot be read.',
    help: 'Try `citadel inspect FILE` on the certificate.',
  },
  peer_certificate_expired: {
    status: 401,
    message: 'The certificate of the peer, or one above it, has expired.',
    help: 'Compare both clocks and both dates in the log. A sidecar that cannot reach citadel keeps its certificate until it expires.',
  },
  peer_certificate_not_yet_valid: {
    status: 401,
    message: 'The certificate of the peer is not valid yet.',
    help: 'Clocks differ by more than the backdating of 60 s. See the clock skew gauge of both sidecars.',
  },
  peer_untrusted: {
    status: 401,
    message: 'The certificate of the peer does not chain to its trust domain’s bundle.',
    help: 'Another authority signed it, or the chain lacks the intermediate, or has the leaf twice. The log has what the certificate claims; compare the fingerprints of `GET /v1/bundle` on both sides.',
  },
  peer_chain_invalid: {
    status: 401,
    message: 'A certificate above the peer’s own may not sign it.',
    help: 'Signing certificates need CA:TRUE and a critical keyCertSign, room in their path length and, if they have an EKU, both server and client (SPIFFE X509-SVID §4, RFC 5280 §6.1). The log names the rule.',
  },
  peer_name_not_permitted: {
    status: 401,
    message: 'An authority above the peer may not vouch for its name.',
    help: 'Name constraints of a signing certificate exclude the trust domain of the peer (RFC 5280 §4.2.1.10).',
  },
  peer_algorithm_forbidden: {
    status: 401,
    message: 'A certificate of the peer is signed in a way, or has a key, that is not accepted.',
    help: 'Accepted are ECDSA (P-256, P-384, P-521), RSA and RSA-PSS from 2048 to 8192 bits, all with SHA-2, and Ed25519.',
  },
  peer_trust_domain_unknown: {
    status: 401,
    message: 'The peer belongs to a trust domain without a bundle here.',
    help: 'The trust domains known here are listed on the admin page under /identity.',
  },
  peer_spiffe_id_missing: {
    status: 401,
    message: 'The certificate of the peer carries no SPIFFE ID.',
    help: 'An X.509-SVID has exactly one URI name (SPIFFE X509-SVID §2).',
  },
  peer_spiffe_id_several: {
    status: 401,
    message: 'The certificate of the peer carries several URI names.',
    help: 'An X.509-SVID has exactly one URI name (SPIFFE X509-SVID §2).',
  },
  peer_spiffe_id_invalid: {
    status: 401,
    message: 'The URI name of the peer is not a valid SPIFFE ID.',
    help: 'See SPIFFE-ID §2 for the grammar.',
  },
  peer_spiffe_id_root: {
    status: 401,
    message: 'The SPIFFE ID of the peer has no path.',
    help: 'A leaf names a workload, never a trust domain (SPIFFE X509-SVID §5.2).',
  },
  peer_certificate_is_ca: {
    status: 401,
    message: 'The peer presented a certificate of an authority as its own.',
    help: 'Signing certificates must not authenticate anything (SPIFFE X509-SVID §3.2, §5.2).',
  },
  peer_key_usage_invalid: {
    status: 401,
    message: 'The key usage of the peer’s certificate does not fit an SVID.',
    help: 'digitalSignature must be set; keyCertSign and cRLSign must not (SPIFFE X509-SVID §4.3); EKU, if there, names both server and client (§4.4).',
  },
  peer_extension_critical_unknown: {
    status: 401,
    message: 'The certificate of the peer has a critical extension that is not understood.',
    help: 'RFC 5280 §4.2: an unknown critical extension must be refused.',
  },
  peer_identity_unexpected: {
    status: 403,
    message: 'The peer proved an identity, but not one that is expected there.',
    help: 'Compare the SPIFFE ID in the log with `peers` of the outbound listener. Someone else answers at that address.',
  },
  caller_not_allowed: {
    status: 403,
    message: 'The peer proved who it is, but it may not call this app.',
    help: 'Its SPIFFE ID, in the log, is not in `allow` of the inbound listener. If it should be, add it there, or call as somebody who is.',
  },
  peer_session_resumed: {
    status: 401,
    message: 'The peer resumed an earlier TLS session.',
    help: 'Resumption would keep an expired or old identity alive; it is off. Make a full handshake.',
  },
} as const satisfies Record<string, RefusalEntry>;
