import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { expect } from 'chai';
import type { Authority } from '../../../citadel/authority/authority.ts';
import type { AuthorityEvent, AuthorityKeeper } from '../../../citadel/authority/authority-keeper.ts';
import { openAuthority } from '../../../citadel/authority/open-authority.ts';
import { systemClock } from '../../../shared/clock/clock.ts';
import { decodePem } from '../../../shared/x509/pem.ts';
import { anchorsOf } from '../../../shared/x509/trust-anchors.ts';
import { verifySvid } from '../../../shared/x509/verify-svid.ts';
import { AuthorityFolder, cacertsOf, keyPemOf } from '../../support/authority-folder.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalCodeOf } from '../../support/refusals.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { makeKeys, spkiOf } from '../../support/test-certificate.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const SPKI = spkiOf(makeKeys().publicKey);

interface Case extends AsyncDisposable {
  readonly folder: AuthorityFolder;
  readonly clock: FakeClock;
  readonly keeper: AuthorityKeeper;
  readonly events: AuthorityEvent[];
}

async function selfMade(): Promise<Case> {
  const folder = await AuthorityFolder.create();
  const clock = new FakeClock();
  const events: AuthorityEvent[] = [];
  const keeper = await openAuthority({ ...folder.options(clock), onEvent: (event) => events.push(event) });
  return {
    ...{ folder, clock, keeper, events },
    async [Symbol.asyncDispose]() {
      keeper.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function leafOf(authority: Authority, now: number): Buffer[] {
  const { der } = authority.signLeaf({ spki: SPKI, spiffeId: WEB, notBefore: now - MINUTE, notAfter: now + DAY });
  return [der, ...authority.chainPem.flatMap((pem) => decodePem(pem, 'CERTIFICATE'))];
}

const serialOf = (keeper: AuthorityKeeper): string => keeper.current().issuer.certificate.serial;

describe('the renewal of the intermediate', () => {
  it('happens at half of its life, with a new key, and tells who listens', async () => {
    await using mesh = await selfMade();
    const { clock, keeper, events } = mesh;
    const heard: Authority[] = [];
    keeper.onChange((authority) => heard.push(authority));
    const first = keeper.current();
    await clock.advance(15 * DAY - 2 * MINUTE);
    await keeper.check();
    expect(keeper.current()).to.equal(first);
    await clock.advance(2 * MINUTE);
    await keeper.check();
    const second = keeper.current();
    expect(second.issuer.certificate.spki.equals(first.issuer.certificate.spki)).to.equal(false);
    expect(second.issuer.certificate.notAfter - clock.now()).to.be.within(30 * DAY - 1000, 30 * DAY);
    expect([heard, events]).to.deep.equal([[second], ['renewed']]);
  });

  it('happens by itself once started, and not before', async () => {
    await using mesh = await selfMade();
    const { clock, keeper, events } = mesh;
    clock.jump(16 * DAY);
    await clock.advance(2 * MINUTE);
    expect(events).to.deep.equal([]);
    const renewed = new Promise((resolve) => keeper.onChange(resolve));
    keeper.start();
    await clock.advance(MINUTE);
    await renewed;
    expect(events).to.deep.equal(['renewed']);
  });

  it('leaves every certificate and the bundle of before good', async () => {
    await using mesh = await selfMade();
    const { clock, keeper } = mesh;
    await clock.advance(16 * DAY);
    const before = keeper.current();
    const chain = leafOf(before, clock.now());
    await keeper.check();
    expect(keeper.current()).not.to.equal(before);
    expect(keeper.current().bundle).to.deep.equal(before.bundle);
    for (const leaf of [chain, leafOf(keeper.current(), clock.now())]) {
      expect(verifySvid(leaf, anchorsOf([before.bundle]), clock.now()).spiffeId.uri).to.equal(WEB);
    }
  });

  it('is on disk: the next start finds it', async () => {
    await using mesh = await selfMade();
    await mesh.clock.advance(16 * DAY);
    await mesh.keeper.check();
    const again = await openAuthority(mesh.folder.options(mesh.clock));
    expect(serialOf(again)).to.equal(serialOf(mesh.keeper));
  });

  it('that crashed half way through its files is finished by the next start', async () => {
    for (const moved of [0, 1, 2]) {
      await using mesh = await selfMade();
      const { folder, clock, keeper } = mesh;
      const names = ['ca-cert.pem', 'ca-key.pem', 'cert-chain.pem'];
      const old = new Map(
        await Promise.all(names.map(async (name): Promise<[string, string]> => [name, await folder.read(name)])),
      );
      await clock.advance(16 * DAY);
      await keeper.check();
      await mkdir(folder.file('.staged'));
      for (const name of names.slice(moved)) {
        await rename(folder.file(name), folder.file(`.staged/${name}`));
        await folder.put({ [name]: old.get(name)! });
      }
      expect(serialOf(await openAuthority(folder.options(clock)))).to.equal(serialOf(keeper));
    }
  });

  it('without the root’s key is complained about once an hour, until the key is back', async () => {
    await using mesh = await selfMade();
    const { folder, clock, keeper, events } = mesh;
    const key = await folder.read('root-key.pem');
    await rm(folder.file('root-key.pem'));
    await clock.advance(16 * DAY);
    for (let minute = 0; minute < 61; minute++) {
      await keeper.check();
      await clock.advance(MINUTE);
    }
    expect(events.filter((event) => event === 'renewal_blocked')).to.have.length(2);
    expect(keeper.renewalBlocked).to.equal(true);
    await folder.put({ 'root-key.pem': key });
    await keeper.check();
    expect(events.at(-1)).to.equal('renewed');
    expect(keeper.renewalBlocked).to.equal(false);
  });

  it('with a key of another root fails and changes nothing', async () => {
    await using mesh = await selfMade();
    const { folder, clock, keeper, events } = mesh;
    const before = serialOf(keeper);
    await folder.put({ 'root-key.pem': keyPemOf({ keys: makeKeys('P-384') }) });
    await clock.advance(16 * DAY);
    await keeper.check();
    expect([serialOf(keeper), events.at(-1)]).to.deep.equal([before, 'renewal_failed']);
  });

  it('with a root key that others can read fails', async () => {
    await using mesh = await selfMade();
    const { folder, clock, keeper, events } = mesh;
    await chmod(folder.file('root-key.pem'), 0o644);
    await clock.advance(16 * DAY);
    await keeper.check();
    expect(events.at(-1)).to.equal('renewal_failed');
  });

  it('is complained about when the files in the folder were refused: nothing is written over them', async () => {
    await using mesh = await selfMade();
    const { folder, clock, keeper, events } = mesh;
    await folder.put({ 'ca-key.pem': keyPemOf({ keys: makeKeys() }) });
    const before = await folder.snapshot();
    await clock.advance(16 * DAY);
    await keeper.check();
    expect(events).to.deep.equal(['reload_refused', 'renewal_blocked']);
    expect(await folder.snapshot()).to.deep.equal(before);
  });

  it('never outlives the root, and is complained about when the root’s end comes near', async () => {
    await using mesh = await selfMade();
    const { clock, keeper, events } = mesh;
    const rootEnds = clock.now() + 3652 * DAY;
    // Renewed in time for ten years, then within the last month of the root.
    await clock.advance(16 * DAY);
    await keeper.check();
    clock.jump(rootEnds - clock.now() - 20 * DAY);
    await keeper.check();
    expect(keeper.current().issuer.certificate.notAfter).to.be.at.most(rootEnds);
    clock.jump(11 * DAY);
    await keeper.check();
    expect(events.at(-1)).to.equal('renewal_blocked');
  });

  it('is made once when two citadels share the folder; the other one takes it over', async () => {
    await using mesh = await selfMade();
    const { folder, clock, keeper } = mesh;
    const events: AuthorityEvent[] = [];
    const other = await openAuthority({ ...folder.options(clock), onEvent: (event) => events.push(event) });
    await clock.advance(16 * DAY);
    await keeper.check();
    await other.check();
    expect(serialOf(other)).to.equal(serialOf(keeper));
    expect(events).to.deep.equal(['reloaded']);
  });

  it('is made at the start when citadel was down for longer than a month', async () => {
    await using mesh = await selfMade();
    mesh.clock.jump(40 * DAY);
    const again = await openAuthority(mesh.folder.options(mesh.clock));
    expect(serialOf(again)).not.to.equal(serialOf(mesh.keeper));
    expect(again.current().bundle).to.deep.equal(mesh.keeper.current().bundle);
  });

  it('cannot be made at the start without the root’s key: authority_out_of_date', async () => {
    await using mesh = await selfMade();
    mesh.clock.jump(40 * DAY);
    await rm(mesh.folder.file('root-key.pem'));
    expect(await refusalCodeOf(openAuthority(mesh.folder.options(mesh.clock)))).to.equal('authority_out_of_date');
  });

  it('is made once when two citadels find it due in the same moment', async () => {
    await using mesh = await selfMade();
    const { folder, clock } = mesh;
    await clock.advance(16 * DAY);
    // Whoever comes second waits for real, on a clock that goes.
    const going = { ...systemClock, now: () => clock.now() };
    const events: AuthorityEvent[] = [];
    const open = (): Promise<AuthorityKeeper> =>
      openAuthority({ ...folder.options(going), onEvent: (event) => events.push(event) });
    const [keeper, other] = [await open(), await open()];
    await Promise.all([keeper.check(), other.check()]);
    await Promise.all([keeper.check(), other.check()]);
    expect(events.sort()).to.deep.equal(['reloaded', 'renewed']);
    expect(serialOf(other)).to.equal(serialOf(keeper));
  });

  describe('under a root that an operator made', () => {
    const plugged = async (pathLength: number): Promise<AuthorityFolder> => {
      const dates = { notBefore: START - DAY, notAfter: START + 300 * DAY };
      const root = createTestAuthority({ trustDomain: 'cluster.local', keyType: 'P-384', ...dates });
      const other = createTestAuthority({
        trustDomain: 'cluster.local',
        keyType: 'P-384',
        pathLength,
        subject: 'other',
        ...dates,
      });
      const files = cacertsOf(root.intermediate({ notBefore: START - DAY, notAfter: START + DAY }));
      return AuthorityFolder.create({
        ...files,
        'root-cert.pem': root.pem + other.pem,
        'root-key.pem': keyPemOf(other),
      });
    };

    it('works like under its own', async () => {
      await using folder = await plugged(1);
      const clock = new FakeClock(START);
      const keeper = await openAuthority(folder.options(clock));
      const before = serialOf(keeper);
      await clock.advance(HOUR);
      await keeper.check();
      expect(serialOf(keeper)).not.to.equal(before);
      const again = await openAuthority(folder.options(clock));
      expect(serialOf(again)).to.equal(serialOf(keeper));
    });

    it('installs nothing that the next start would refuse: the root allows no intermediates', async () => {
      await using folder = await plugged(0);
      const events: AuthorityEvent[] = [];
      const clock = new FakeClock(START);
      const keeper = await openAuthority({ ...folder.options(clock), onEvent: (event) => events.push(event) });
      const before = await folder.snapshot();
      await clock.advance(HOUR);
      await keeper.check();
      expect(events).to.deep.equal(['renewal_failed']);
      expect(await folder.snapshot()).to.deep.equal(before);
    });
  });

  it('does not go on after close', async () => {
    await using mesh = await selfMade();
    mesh.keeper.start();
    mesh.keeper.close();
    expect(mesh.clock.pending).to.equal(0);
    mesh.keeper.start();
    expect(mesh.clock.pending).to.equal(0);
  });
});
