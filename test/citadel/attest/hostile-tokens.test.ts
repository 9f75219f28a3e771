import { expect } from 'chai';
import { readKeySet } from '../../../citadel/attest/issuer-documents.ts';
import type { KeySource } from '../../../citadel/attest/jwks-source.ts';
import { createOidcAttestor } from '../../../citadel/attest/oidc-jwks.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalOf } from '../../support/refusals.ts';
import {
  makeSigningKey,
  podClaims,
  podFacts,
  type SigningKey,
  signToken,
  type TokenAlgorithm,
} from '../../support/tokens.ts';
import { forgedTokens, malformedTokens, misclaimedTokens } from '../../support/tokens-hostile.ts';

const ISSUER = 'https://issuer.test';
const never = new AbortController().signal;

/** Keys as an issuer publishes them, without the fetching. */
function keysOf(...published: readonly SigningKey[]): KeySource {
  const { keys } = readKeySet(Buffer.from(JSON.stringify({ keys: published.map(({ jwk }) => jwk) })));
  return {
    async find(keyId) {
      const key = keys.get(keyId);
      if (!key) throw new Refusal('token_key_unknown');
      return key;
    },
    async close() {},
  };
}

function attestorFor(clock: FakeClock, key: SigningKey) {
  const policy = { issuer: ISSUER, audience: 'citadel', maxLifetimeSeconds: 86_400, leewaySeconds: 10 };
  return createOidcAttestor({ clock, keys: keysOf(key), policy });
}

describe('offline attestation', () => {
  const algorithms: TokenAlgorithm[] = [
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
  ];
  for (const algorithm of algorithms) {
    it(`tells the pod of a good token signed with ${algorithm}`, async () => {
      const clock = new FakeClock();
      const key = makeSigningKey(algorithm);
      const facts = podFacts();
      const claims = podClaims(facts, { issuer: ISSUER, issuedAt: clock.now() });
      const attested = await attestorFor(clock, key).attest(signToken(claims, key), never);
      const { nodeUid: _, ...told } = facts;
      expect(attested).to.deep.equal({
        method: 'oidc',
        ...told,
        tokenId: claims['jti'],
        tokenExpiresAt: (claims['exp'] as number) * 1000,
      });
    });
  }

  for (const algorithm of ['ES256', 'RS256'] as const) {
    const clock = new FakeClock();
    const key = makeSigningKey(algorithm);
    const claims = podClaims(podFacts(), { issuer: ISSUER, issuedAt: clock.now() });
    const hostile = [
      ...malformedTokens(claims, key),
      ...forgedTokens(claims, key),
      ...misclaimedTokens(claims, key, clock.now()),
      { fault: 'another issuer', token: signToken({ ...claims, iss: `${ISSUER}/` }, key), code: 'token_issuer_wrong' },
    ];
    for (const { fault, token, code } of hostile) {
      it(`refuses ${fault} (${algorithm}) with ${code}, and says nothing of the token`, async () => {
        const refusal = await refusalOf(attestorFor(clock, key).attest(token, never));
        expect(refusal.code).to.equal(code);
        expect(`${refusal.message} ${refusal.detail}`).not.to.match(/eyJ|[A-Za-z0-9_-]{60,}/);
      });
    }
  }

  it('refuses ES256 with a key on P-384 that does not say what it is for', async () => {
    const clock = new FakeClock();
    const claims = podClaims(podFacts(), { issuer: ISSUER, issuedAt: clock.now() });
    const p384 = makeSigningKey('ES384');
    const { alg: _, ...withoutAlg } = p384.jwk;
    const unnamed = { ...p384, jwk: withoutAlg };
    const asES256 = signToken(claims, unnamed, { alg: 'ES256' });
    expect((await refusalOf(attestorFor(clock, unnamed).attest(asES256, never))).code).to.equal(
      'token_algorithm_forbidden',
    );
  });

  it('accepts expiry and start within the leeway, and nothing beyond', async () => {
    const clock = new FakeClock();
    const key = makeSigningKey();
    const claims = podClaims(podFacts(), { issuer: ISSUER, issuedAt: clock.now(), seconds: 600 });
    const token = signToken(claims, key);
    clock.jump(-10_000);
    await attestorFor(clock, key).attest(token, never);
    clock.jump(-1000);
    expect((await refusalOf(attestorFor(clock, key).attest(token, never))).code).to.equal('token_not_yet_valid');
    clock.jump(11_000 + 609_000);
    await attestorFor(clock, key).attest(token, never);
    clock.jump(1000);
    expect((await refusalOf(attestorFor(clock, key).attest(token, never))).code).to.equal('token_expired');
  });

  it('remembers a verified token for seconds only, and never beyond its expiry', async () => {
    const clock = new FakeClock();
    const key = makeSigningKey();
    let asked = 0;
    const source = keysOf(key);
    const keys: KeySource = {
      ...source,
      find(keyId, signal) {
        asked++;
        return source.find(keyId, signal);
      },
    };
    const policy = { issuer: ISSUER, audience: 'citadel', maxLifetimeSeconds: 86_400, leewaySeconds: 0 };
    const attestor = createOidcAttestor({ clock, keys, policy });
    const token = signToken(podClaims(podFacts(), { issuer: ISSUER, issuedAt: clock.now(), seconds: 15 }), key);
    await attestor.attest(token, never);
    await attestor.attest(token, never);
    expect(asked).to.equal(1);
    await clock.advance(10_000);
    await attestor.attest(token, never);
    expect(asked).to.equal(2);
    await clock.advance(5000);
    expect((await refusalOf(attestor.attest(token, never))).code).to.equal('token_expired');
  });

  it('names a token without jti by a part of its hash', async () => {
    const clock = new FakeClock();
    const key = makeSigningKey();
    const token = signToken(
      { ...podClaims(podFacts(), { issuer: ISSUER, issuedAt: clock.now() }), jti: undefined },
      key,
    );
    expect((await attestorFor(clock, key).attest(token, never)).tokenId).to.match(/^sha256:[0-9a-f]{32}$/);
  });
});
