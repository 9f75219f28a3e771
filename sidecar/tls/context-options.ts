/**
 * How this sidecar speaks TLS, in one place for both directions: version 1.3 only, hybrid key exchange first, no
 * session tickets. It decides nothing about peers beyond what OpenSSL is to trust.
 */
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { Identity, Trust } from '../identity/identity.ts';

/**
 * Post-quantum hybrid first, then the curves that every TLS 1.3 peer has.
 * SSL_OP_NO_TICKET: a resumed session would keep an expired or replaced identity (see peer-check.ts).
 */
const TLS_RULES: SecureContextOptions = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ecdhCurve: 'X25519MLKEM768:X25519:P-256',
  secureOptions: constants.SSL_OP_NO_TICKET,
};

/** A whole context: Node replaces everything at a swap, so nothing may be left out. */
export function contextOptions(identity: Identity, trust: Trust): SecureContextOptions {
  return { ...TLS_RULES, cert: identity.chainPem, key: identity.keyPem, ca: [...trust.caPem] };
}

/** Before the first certificate: the rules without a key, so that every handshake fails. */
export function emptyContextOptions(): SecureContextOptions {
  return { ...TLS_RULES, ca: [] };
}
