import { chmod, chown, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { AuthorityEvent, AuthorityKeeper } from '../../../citadel/authority/authority-keeper.ts';
import { bundleSequence } from '../../../citadel/authority/bundle-sequence.ts';
import { openAuthority } from '../../../citadel/authority/open-authority.ts';
import { systemClock } from '../../../shared/clock/clock.ts';
import { readCertificate } from '../../../shared/x509/certificate.ts';
import { AuthorityFolder, cacertsOf, keyPemOf } from '../../support/authority-folder.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { createTestAuthority, type TestAuthority } from '../../support/test-authority.ts';
import { makeKeys } from '../../support/test-certificate.ts';

const root = (): TestAuthority => createTestAuthority({ trustDomain: 'cluster.local' });
const serialOf = (keeper: AuthorityKeeper): string => keeper.current().issuer.certificate.serial;

describe('files that an operator exchanges while citadel runs', () => {
  const old = root();

  async function plugged(): Promise<{
    folder: AuthorityFolder;
    keeper: AuthorityKeeper;
    events: AuthorityEvent[];
    log: RecordedLog;
  }> {
    const folder = await AuthorityFolder.create(cacertsOf(old.intermediate()));
    const events: AuthorityEvent[] = [];
    const log = new RecordedLog();
    const keeper = await openAuthority({ ...folder.options(), log, onEvent: (event) => events.push(event) });
    return { folder, keeper, events, log };
  }

  it('are taken over at the next look: a new intermediate under the same root', async () => {
    const { folder, keeper, events } = await plugged();
    await using _ = folder;
    const before = keeper.current();
    const next = old.intermediate();
    await folder.put(cacertsOf(next));
    await keeper.check();
    expect(serialOf(keeper)).to.equal(readCertificate(next.der).serial);
    expect(keeper.current().bundle.sequence).to.equal(before.bundle.sequence);
    expect(events).to.deep.equal(['reloaded']);
    await keeper.check();
    expect(events).to.deep.equal(['reloaded']);
  });

  it('raise the number of the bundle when the roots are others', async () => {
    const { folder, keeper } = await plugged();
    await using _ = folder;
    const before = keeper.current().bundle;
    await folder.put({ 'root-cert.pem': old.pem + root().pem });
    await keeper.check();
    const after = keeper.current().bundle;
    expect([before.authorities.length, after.authorities.length]).to.deep.equal([1, 2]);
    expect(after.sequence).to.be.greaterThan(before.sequence);
  });

  it('are refused when a start would refuse them: the old ones stay in use, and it is said once', async () => {
    const { folder, keeper, events, log } = await plugged();
    await using _ = folder;
    const before = serialOf(keeper);
    await folder.put({ 'ca-key.pem': keyPemOf({ keys: makeKeys() }) });
    await keeper.check();
    await keeper.check();
    expect([serialOf(keeper), events]).to.deep.equal([before, ['reload_refused']]);
    expect(log.events('authority_reload_refused')[0]?.fields).to.include({ code: 'authority_key_mismatch' });
    await folder.put(cacertsOf(old.intermediate()));
    await keeper.check();
    expect(events).to.deep.equal(['reload_refused', 'reloaded']);
  });

  it('may vanish: the authority in memory stays in use', async () => {
    const { folder, keeper, events } = await plugged();
    const before = serialOf(keeper);
    await rm(folder.path, { recursive: true });
    await keeper.check();
    expect([serialOf(keeper), events]).to.deep.equal([before, ['reload_refused']]);
  });

  it('may be swapped as Kubernetes does it, through a link', async () => {
    await using folder = await AuthorityFolder.create();
    const [first, second] = [old.intermediate(), old.intermediate()];
    const versions = [
      await AuthorityFolder.create(cacertsOf(first)),
      await AuthorityFolder.create(cacertsOf(second)),
    ] as const;
    await symlink(versions[0].path, folder.file('..data'));
    for (const name of Object.keys(cacertsOf(first))) await symlink(`..data/${name}`, folder.file(name));
    const keeper = await openAuthority(folder.options());
    expect(serialOf(keeper)).to.equal(readCertificate(first.der).serial);
    await rm(folder.file('..data'));
    await symlink(versions[1].path, folder.file('..data'));
    await keeper.check();
    expect(serialOf(keeper)).to.equal(readCertificate(second.der).serial);
    for (const version of versions) await version[Symbol.asyncDispose]();
  });

  it('may lie in a folder that cannot be written, as a mounted secret does', async () => {
    const { folder } = await plugged();
    await using _ = folder;
    await rm(folder.file('bundle-sequence.json'));
    await rm(folder.file('authority.lock'));
    const before = await folder.snapshot();
    const sequence = await asReaderOnly(
      folder,
      async () => (await openAuthority(folder.options())).current().bundle.sequence,
    );
    expect(sequence).to.be.closeTo(systemClock.now() / 1000, 60);
    expect(Object.keys(await folder.snapshot())).to.deep.equal(Object.keys(before));
  });

  it('put no key, PEM or other secret into the log', async () => {
    const { folder, keeper, log } = await plugged();
    await using _ = folder;
    await folder.put({ 'ca-key.pem': `${keyPemOf({ keys: makeKeys() })}garbage` });
    await keeper.check();
    expect(log.lines).not.to.deep.equal([]);
    expect(JSON.stringify(log.lines)).not.to.match(/BEGIN|PRIVATE|MI[GHI]/);
  });
});

describe('the number of the bundle', () => {
  const [one, two] = [root(), root()].map(({ der }) => readCertificate(der)) as [
    ReturnType<typeof readCertificate>,
    ReturnType<typeof readCertificate>,
  ];
  const now = systemClock.now();

  it('stays while the roots stay, in whatever order they come', async () => {
    await using folder = await AuthorityFolder.create();
    const first = await bundleSequence(folder.path, [one, two], now);
    expect(await bundleSequence(folder.path, [two, one], now + 5_000_000)).to.equal(first);
  });

  it('rises with every change, even back to what was before and when the clock goes back', async () => {
    await using folder = await AuthorityFolder.create();
    const numbers: number[] = [];
    for (const [roots, at] of [
      [[one], 0],
      [[two], 0],
      [[one], -10_000_000],
      [[one, two], 0],
    ] as const) {
      numbers.push(await bundleSequence(folder.path, roots, now + at));
    }
    expect(numbers).to.deep.equal([...new Set(numbers)].sort((a, b) => a - b));
  });

  it('survives its file being damaged without falling', async () => {
    await using folder = await AuthorityFolder.create();
    const first = await bundleSequence(folder.path, [one], now);
    await writeFile(folder.file('bundle-sequence.json'), '{"sequence":');
    expect(await bundleSequence(folder.path, [one], now + 1000)).to.be.greaterThan(first);
  });
});

/** Runs as somebody who may read but not write: when root runs the tests, as another user in the group of the files. */
async function asReaderOnly<Result>(folder: AuthorityFolder, run: () => Promise<Result>): Promise<Result> {
  const NOBODY = 65_534;
  const isRoot = process.geteuid?.() === 0;
  for (const name of await readdir(folder.path)) {
    if (isRoot) await chown(folder.file(name), 0, NOBODY);
    await chmod(folder.file(name), isRoot ? 0o440 : 0o400);
  }
  await chmod(folder.path, 0o555);
  if (isRoot) {
    process.setegid!(NOBODY);
    process.seteuid!(NOBODY);
  }
  try {
    return await run();
  } finally {
    if (isRoot) {
      process.seteuid!(0);
      process.setegid!(0);
    }
    await chmod(folder.path, 0o700);
  }
}
