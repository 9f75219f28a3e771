import { expect } from 'chai';
import { refusalOfHandshake, refusalOfVerification } from '../../../sidecar/tls/handshake-failure.ts';

describe('the code for a failed handshake', () => {
  for (const [fault, code] of [
    ['CERT_HAS_EXPIRED', 'peer_certificate_expired'],
    ['CERT_NOT_YET_VALID', 'peer_certificate_not_yet_valid'],
    ['INVALID_PURPOSE', 'peer_key_usage_invalid'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'peer_untrusted'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'peer_untrusted'],
    ['UNSPECIFIED', 'peer_untrusted'],
    ['A_FAULT_OF_A_LATER_OPENSSL', 'peer_untrusted'],
  ] as const) {
    it(`is ${code} when verification ends with ${fault}`, () => {
      const refusal = refusalOfVerification(fault);
      expect(refusal.code).to.equal(code);
      expect(refusal.detail).to.include(fault);
    });
  }

  for (const [name, code] of [
    ['ERR_SSL_HTTP_REQUEST', 'peer_plaintext'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'peer_plaintext'],
    ['ERR_TLS_HANDSHAKE_TIMEOUT', 'peer_handshake_timeout'],
    ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'peer_certificate_missing'],
    ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'peer_tls_failed'],
    ['ECONNRESET', 'peer_tls_failed'],
    ['CERT_HAS_EXPIRED', 'peer_certificate_expired'],
    ['toString', 'peer_tls_failed'],
  ] as const) {
    it(`is ${code} when the handshake ends with ${name}`, () => {
      expect(refusalOfHandshake({ code: name, message: 'why' }).code).to.equal(code);
    });
  }

  it('keeps OpenSSL’s reason and drops its source lines', () => {
    const message =
      '00A1:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/openssl/ssl3_record.c:354:\n';
    expect(refusalOfHandshake({ code: 'ERR_SSL_WRONG_VERSION_NUMBER', message }).detail).to.equal(
      'ERR_SSL_WRONG_VERSION_NUMBER wrong version number',
    );
  });

  it('works without a code', () => {
    expect(refusalOfHandshake({ message: 'x'.repeat(500) }).detail).to.have.length(120);
  });
});
