import { expect } from 'chai';
import { ReplayWindow, type Sighting } from '../../../citadel/attest/replay-window.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const HOUR = 3_600_000;

function windowWith(mostEntries?: number) {
  const clock = new FakeClock();
  const window = new ReplayWindow({ clock, ...(mostEntries === undefined ? {} : { mostEntries }) });
  const see = (change: Partial<Sighting> = {}) =>
    window.see({
      tokenId: 't1',
      podUid: 'p1',
      spiffeId: 'spiffe://a.test/ns/shop/sa/web',
      keyFingerprint: 'k1',
      address: '10.0.0.1',
      tokenExpiresAt: clock.now() + HOUR,
      ...change,
    });
  return { clock, window, see };
}

describe('the replay window', () => {
  it('takes a renewal with a fresh key from the same address for no replay', () => {
    const { see } = windowWith();
    expect(see()).to.equal('new');
    for (let renewal = 0; renewal < 20; renewal++) expect(see({ keyFingerprint: `fresh${renewal}` })).to.equal('known');
  });

  it('notices the same token with another key from another address, every time', () => {
    const { see } = windowWith();
    see();
    const thief = { keyFingerprint: 'stolen', address: '10.0.0.66' };
    expect(see(thief)).to.equal('token_replayed');
    expect(see(thief)).to.equal('token_replayed');
    expect(see({ keyFingerprint: 'k2' })).to.equal('known');
  });

  it('follows the holder of a known key to another address, and its next key there', () => {
    const { see } = windowWith();
    see();
    expect(see({ address: '10.0.0.2' })).to.equal('known');
    expect(see({ address: '10.0.0.2', keyFingerprint: 'k2' })).to.equal('known');
  });

  it('takes an IPv4 caller on an IPv6 socket for the same', () => {
    const { see } = windowWith();
    see();
    expect(see({ address: '::ffff:10.0.0.1', keyFingerprint: 'k2' })).to.equal('known');
  });

  it('notices a pod under two identities, before anything else', () => {
    const { see } = windowWith();
    see();
    const other = { spiffeId: 'spiffe://a.test/ns/shop/sa/admin' };
    expect(see({ ...other, tokenId: 't2' })).to.equal('pod_identity_conflict');
    expect(see({ tokenId: 't3' })).to.equal('new');
  });

  it('forgets a token with its expiry, and a pod with the last of its tokens', async () => {
    const { clock, see } = windowWith();
    see();
    see({ tokenId: 't2', tokenExpiresAt: clock.now() + 2 * HOUR });
    await clock.advance(HOUR);
    expect(see({ keyFingerprint: 'other', address: '10.9.9.9' })).to.equal('new');
    const other = { spiffeId: 'spiffe://a.test/ns/shop/sa/admin', tokenId: 't3' };
    expect(see(other)).to.equal('pod_identity_conflict');
    await clock.advance(HOUR);
    expect(see(other)).to.equal('new');
  });

  it('stays within its bound whatever comes, and forgets first what was not seen for longest', () => {
    const { see, window } = windowWith(100);
    for (let at = 0; at < 1000; at++) {
      see({ tokenId: `t${at}`, podUid: `p${at}` });
      see({ tokenId: 't0', podUid: 'p0' });
    }
    expect(window.size).to.be.at.most(200);
    expect(see({ tokenId: 't0', podUid: 'p0', keyFingerprint: 'x', address: '10.0.0.9' })).to.equal('token_replayed');
  });
});
