import { expect } from 'chai';
import { IssuerDocumentError, readKeySet } from '../../../citadel/attest/issuer-documents.ts';
import { JwksSource } from '../../../citadel/attest/jwks-source.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalCodeOf, refusalOf } from '../../support/refusals.ts';
import { makeSigningKey } from '../../support/tokens.ts';

const never = new AbortController().signal;
const randomness = { draw: () => 0.5, bytes: (count: number) => Buffer.alloc(count) };

/** An issuer whose keys, and whose health, the test decides. */
function issuerWith(...keyIds: string[]) {
  const clock = new FakeClock();
  const made = new Map<string, Record<string, unknown>>();
  const issuer = { keyIds, down: false, fetches: 0, held: Promise.resolve() };
  const jwkOf = (keyId: string) => made.get(keyId) ?? made.set(keyId, makeSigningKey('ES256', keyId).jwk).get(keyId)!;
  const fetchKeys = async () => {
    issuer.fetches++;
    await issuer.held;
    if (issuer.down) throw new IssuerDocumentError('down');
    return readKeySet(Buffer.from(JSON.stringify({ keys: issuer.keyIds.map(jwkOf) })));
  };
  const outcomes: string[] = [];
  const keys = new JwksSource({
    clock,
    randomness,
    log: silentLog,
    fetchKeys,
    onFetch: (outcome) => outcomes.push(outcome),
  });
  return { clock, issuer, keys, outcomes };
}

describe('the keys of an issuer', () => {
  it('are fetched once for many callers, and then known', async () => {
    const { issuer, keys } = issuerWith('a');
    const found = await Promise.all(Array.from({ length: 20 }, () => keys.find('a', never)));
    expect(new Set(found).size).to.equal(1);
    await keys.find('a', never);
    expect(issuer.fetches).to.equal(1);
  });

  it('are fetched again when a token names a new one', async () => {
    const { clock, issuer, keys } = issuerWith('a');
    await keys.find('a', never);
    issuer.keyIds = ['a', 'b'];
    await clock.advance(1000);
    expect((await keys.find('b', never)).keyId).to.equal('b');
    expect(issuer.fetches).to.equal(2);
  });

  it('are found when the issuer changed them right after a fetch, within a second', async () => {
    const { clock, issuer, keys } = issuerWith('a');
    await keys.find('a', never);
    await clock.advance(300_000);
    expect(issuer.fetches).to.equal(2);
    issuer.keyIds = ['a', 'b'];
    const early = await refusalOf(keys.find('b', never));
    expect([early.code, early.retryAfterSeconds]).to.deep.equal(['token_key_unknown', 1]);
    await clock.advance(1000);
    expect((await keys.find('b', never)).keyId).to.equal('b');
  });

  it('are fetched a few times in a row and then seldom for unknown ids, however many come', async () => {
    const { clock, issuer, keys } = issuerWith('a');
    await keys.find('a', never);
    for (let second = 0; second < 60; second++) {
      await clock.advance(1000);
      const refused = Array.from({ length: 20 }, (_, at) => refusalCodeOf(keys.find(`x${second}-${at}`, never)));
      expect(new Set(await Promise.all(refused))).to.deep.equal(new Set(['token_key_unknown']));
    }
    // 3 at once, one of them for the first find; then one every 10 s.
    expect(issuer.fetches).to.equal(3 + 6);
  });

  it('tell when to come back only to a caller for whom nobody has looked', async () => {
    const { clock, keys } = issuerWith('a');
    await keys.find('a', never);
    await clock.advance(1000);
    expect((await refusalOf(keys.find('x', never))).retryAfterSeconds).to.equal(undefined);
    expect((await refusalOf(keys.find('x', never))).retryAfterSeconds).to.equal(1);
    await clock.advance(1000);
    expect((await refusalOf(keys.find('x', never))).retryAfterSeconds).to.equal(undefined);
    await clock.advance(1000);
    expect((await refusalOf(keys.find('x', never))).retryAfterSeconds).to.equal(7);
  });

  it('are forgotten when the issuer takes them back', async () => {
    const { clock, issuer, keys } = issuerWith('a', 'b');
    await keys.find('a', never);
    issuer.keyIds = ['b'];
    await clock.advance(300_000);
    expect(issuer.fetches).to.equal(2);
    expect(await refusalCodeOf(keys.find('a', never))).to.equal('token_key_unknown');
  });

  it('stay in use while the issuer is away, and are fetched again soon', async () => {
    const { clock, issuer, keys, outcomes } = issuerWith('a');
    await keys.find('a', never);
    issuer.down = true;
    await clock.advance(300_000);
    expect(keys.failures).to.equal(1);
    expect((await keys.find('a', never)).keyId).to.equal('a');
    issuer.down = false;
    await clock.advance(1000);
    expect(keys.failures).to.equal(0);
    expect(outcomes).to.deep.equal(['fetched', 'failed', 'fetched']);
  });

  it('are unavailable, not unknown, when they could not be fetched', async () => {
    const { clock, issuer, keys } = issuerWith('a');
    issuer.down = true;
    const first = await refusalOf(keys.find('a', never));
    expect(first.code).to.equal('token_keys_unavailable');
    expect(first.retryAfterSeconds).to.equal(1);
    issuer.down = false;
    await clock.advance(1000);
    await keys.find('a', never);
    issuer.down = true;
    await clock.advance(10_000);
    expect(await refusalCodeOf(keys.find('new', never))).to.equal('token_keys_unavailable');
  });

  it('are not waited for by a caller that leaves, and still arrive for the others', async () => {
    const { issuer, keys } = issuerWith('a');
    const { promise, resolve } = Promise.withResolvers<void>();
    issuer.held = promise;
    const leaver = new AbortController();
    const left = keys.find('a', leaver.signal).catch((reason: unknown) => reason);
    const stayed = keys.find('a', never);
    leaver.abort('gone');
    expect(await left).to.equal('gone');
    resolve();
    expect((await stayed).keyId).to.equal('a');
  });

  it('cause no more fetches after close', async () => {
    const { clock, issuer, keys } = issuerWith('a');
    await keys.find('a', never);
    await keys.close();
    await clock.advance(1_000_000);
    expect(issuer.fetches).to.equal(1);
    expect(clock.pending).to.equal(0);
  });
});
