import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { FileWatch } from '../../../shared/file-watch/file-watch.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { queue } from '../../support/tls-peers.ts';
import { until } from '../../support/until.ts';

describe('watching a file', () => {
  let folder: string;
  const watches: FileWatch[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  });
  afterEach(async () => {
    for (const watch of watches.splice(0)) watch.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** @returns how to wait for the next change */
  function watched(file: string, clock = systemClock): () => Promise<void> {
    const changes = queue<void>();
    watches.push(new FileWatch({ file, clock, onChange: () => changes.put() }));
    return changes.take;
  }

  /** As kubelet's AtomicWriter does it: a new folder, then `..data` is swapped by a rename. */
  async function project(version: number, content: string): Promise<void> {
    await mkdir(join(folder, `..${version}`));
    await writeFile(join(folder, `..${version}`, 'token'), content);
    await symlink(`..${version}`, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  }

  it('sees every swap of the folder that kubelet projects, not only the first', async () => {
    await project(1, 'one');
    await symlink('..data/token', join(folder, 'token'));
    const changed = watched(join(folder, 'token'));
    for (const version of [2, 3, 4]) {
      await project(version, `content ${version}`);
      await changed();
    }
  });

  it('sees a file that appears, is rewritten, and disappears', async () => {
    const file = join(folder, 'token');
    const changed = watched(file);
    await writeFile(file, 'a');
    await changed();
    await writeFile(file, 'longer');
    await changed();
    await rm(file);
    await changed();
  });

  it('says nothing about other files beside it', async () => {
    const file = join(folder, 'token');
    await writeFile(file, 'a');
    let changes = 0;
    const clock = new FakeClock();
    watches.push(new FileWatch({ file, clock, onChange: () => changes++ }));
    await writeFile(join(folder, 'other'), 'b');
    await clock.advance(60_000);
    expect(changes).to.equal(0);
  });

  it('finds by polling what no notification told, in a folder that is made later', async () => {
    const clock = new FakeClock();
    const later = join(folder, 'later');
    let changes = 0;
    watches.push(new FileWatch({ file: join(later, 'token'), clock, onChange: () => changes++ }));
    await mkdir(later);
    await writeFile(join(later, 'token'), 'a');
    await clock.advance(29_000);
    expect(changes).to.equal(0);
    await clock.advance(1_000);
    await until('the change is seen', () => changes === 1 || undefined);
    // From here on the folder is watched: no time needs to pass.
    await writeFile(join(later, 'token'), 'another');
    await until('the next change is seen', () => changes === 2 || undefined);
  });

  it('outlives its folder being removed and made again', async () => {
    const clock = new FakeClock();
    const file = join(folder, 'inner', 'token');
    await mkdir(join(folder, 'inner'));
    await writeFile(file, 'a');
    let changes = 0;
    watches.push(new FileWatch({ file, clock, onChange: () => changes++ }));
    await rm(join(folder, 'inner'), { recursive: true });
    await until('the loss is seen', () => changes === 1 || undefined);
    await mkdir(join(folder, 'inner'));
    await writeFile(file, 'b');
    await clock.advance(30_000);
    await until('the return is seen', () => changes === 2 || undefined);
    await writeFile(file, 'again');
    await until('what comes after is seen', () => changes === 3 || undefined);
  });

  it('goes on with a folder that was replaced before anybody could look, under the same inode number', async () => {
    const clock = new FakeClock();
    const inner = join(folder, 'inner');
    const file = join(inner, 'token');
    mkdirSync(inner);
    writeFileSync(file, 'a');
    let changes = 0;
    watches.push(new FileWatch({ file, clock, onChange: () => changes++ }));
    rmSync(inner, { recursive: true });
    mkdirSync(inner);
    writeFileSync(file, 'another');
    await until('the replacement is seen', () => changes === 1 || undefined);
    writeFileSync(file, 'one more');
    await until('what comes after is seen, without polling', () => changes === 2 || undefined);
  });

  it('is silent after it was closed', async () => {
    const file = join(folder, 'token');
    const clock = new FakeClock();
    let changes = 0;
    const watch = new FileWatch({ file, clock, onChange: () => changes++ });
    watch.close();
    await writeFile(file, 'a');
    await clock.advance(120_000);
    expect(changes).to.equal(0);
    expect(clock.pending).to.equal(0);
  });
});
