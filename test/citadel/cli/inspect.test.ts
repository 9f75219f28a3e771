import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { inspectContent } from '../../../citadel/cli/inspect-content.ts';
import { inspectTrust } from '../../../citadel/cli/inspect-trust.ts';
import { systemClock } from '../../../shared/clock/clock.ts';
import { encodeBundle } from '../../../shared/spiffe/trust-bundle.ts';
import { buildCsr } from '../../../shared/x509/csr-builder.ts';
import { encodePem } from '../../../shared/x509/pem.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

describe('citadel inspect', () => {
  const now = systemClock.now();
  const authority = createTestAuthority({ trustDomain: 'a.test' });
  const svid = authority.intermediate().svid();
  const look = (content: string | Buffer) => inspectContent(Buffer.from(content), now);
  const problemsIn = (content: string | Buffer): string[] => look(content).flatMap(({ problems }) => problems);

  it('finds nothing wrong with a good chain, and tells who it is for', () => {
    const findings = look(svid.chainPem + authority.rootPem);
    expect(findings.map(({ what }) => what)).to.deep.equal([
      'certificate',
      'certificate of an authority',
      'certificate of an authority',
    ]);
    expect(findings[0]!.facts).to.deep.include({ uriNames: [svid.uri], key: 'P-256', subject: '(empty)' });
    expect(findings.flatMap(({ problems }) => problems)).to.deep.equal([]);
  });

  it('takes DER, a bundle, and an answer of the API', () => {
    expect(look(svid.chainDer[0]!)[0]!.facts).to.deep.include({ uriNames: [svid.uri] });
    const bundle = look(JSON.stringify(encodeBundle(authority.bundle(7))));
    expect(bundle.map(({ what }) => what)).to.deep.equal(['SPIFFE bundle', 'certificate of an authority']);
    expect(bundle[0]!.facts).to.include({ sequence: 7, authorities: 1 });
    const answer = { certificateChain: [svid.chainPem], trustBundle: [authority.rootPem], spiffeId: svid.uri };
    expect(look(JSON.stringify(answer))).to.have.length(3);
  });

  it('names what is wrong by the same codes and rules as citadel and sidecar', () => {
    const pem = (options: Parameters<typeof authority.svid>[0]): string => authority.svid(options).chainPem;
    expect(problemsIn(pem({ notAfter: now - 1000 }))[0]).to.match(/^peer_certificate_expired/);
    expect(problemsIn(pem({ notBefore: now + 60_000 }))[0]).to.match(/^peer_certificate_not_yet_valid/);
    expect(problemsIn(pem({ uris: [] }))[0]).to.match(/^peer_spiffe_id_missing/);
    expect(problemsIn(pem({ uris: ['spiffe://a.test/x', 'spiffe://a.test/y'] }))[0]).to.match(
      /^peer_spiffe_id_several/,
    );
    expect(problemsIn(createTestAuthority({ trustDomain: 'a.test', keyUsage: [] }).pem)[0]).to.match(
      /broken rule: issuer has keyCertSign/,
    );
  });

  it('checks a CSR, in PEM, in DER and in the body of a request', () => {
    const der = buildCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'spiffe://a.test/ns/n/sa/s');
    const pem = encodePem('CERTIFICATE REQUEST', der);
    for (const content of [der, pem, JSON.stringify({ csr: pem })]) {
      expect(look(content)[0]).to.deep.include({ what: 'certificate signing request', problems: [] });
    }
    const tampered = Buffer.from(der);
    tampered[tampered.length - 1]! ^= 1;
    expect(problemsIn(tampered)[0]).to.match(/^csr_signature_invalid/);
  });

  it('never shows a private key', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const { d } = privateKey.export({ format: 'jwk' });
    const shown = JSON.stringify(look(pem));
    expect(shown).to.include('ec prime256v1');
    expect(shown).not.to.include(d).and.not.to.include(pem.split('\n')[1]);
    const encrypted = privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    }) as string;
    expect(problemsIn(encrypted)[0]).to.include('encrypted');
  });

  it('calls everything else what it is', () => {
    for (const content of [
      '',
      'hello',
      '{',
      '{}',
      '\x30\x03abc',
      '-----BEGIN RABBIT-----\nAAAA\n-----END RABBIT-----\n',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    ]) {
      expect(problemsIn(content), content).to.have.length(1);
    }
  });

  it('has a chain judged by two verifiers, and both must accept it', async () => {
    const [chain, roots] = [Buffer.from(svid.chainPem), Buffer.from(authority.rootPem)];
    expect(await inspectTrust(chain, roots, now)).to.deep.include({
      facts: { ownVerifier: 'valid', pkijs: 'valid' },
      problems: [],
    });
    const foreign = Buffer.from(createTestAuthority({ trustDomain: 'a.test' }).rootPem);
    const { facts, problems } = await inspectTrust(chain, foreign, now);
    expect(facts['ownVerifier']).to.match(/^peer_/);
    expect(facts['pkijs']).not.to.equal('valid');
    expect(problems).to.have.length(1);
    expect((await inspectTrust(roots, roots, now)).problems[0]).to.include('peer_certificate_is_ca');
  });
});
