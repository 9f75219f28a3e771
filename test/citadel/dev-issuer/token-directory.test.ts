import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeTokenDirectory } from '../../../citadel/dev-issuer/token-directory.ts';
import { refusalCodeOf } from '../../support/refusals.ts';

const MOMENT = Date.UTC(2026, 6, 24, 10, 11, 12, 345);

describe('a token directory', () => {
  let directory: string;
  let salt = 0;
  const write = (token: string) => writeTokenDirectory(directory, token, MOMENT, Buffer.from([0, 0, ++salt]));

  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'token-')), 'web');
  });
  afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

  it('looks as kubelet leaves it, and is open to its owner only', async () => {
    await write('one');
    expect(readlinkSync(join(directory, 'token'))).to.equal('..data/token');
    const version = readlinkSync(join(directory, '..data'));
    expect(version).to.match(/^\.\.2026_07_24_10_11_12\.345\d+$/);
    expect(readdirSync(directory).sort()).to.deep.equal([version, '..data', 'token'].sort());
    expect(readFileSync(join(directory, 'token'), 'utf8')).to.equal('one');
    const modes = [directory, join(directory, version), join(directory, version, 'token')].map(
      (path) => statSync(path).mode & 0o777,
    );
    expect(modes).to.deep.equal([0o700, 0o700, 0o600]);
  });

  it('swaps to the next version in one step, and leaves nothing of the last', async () => {
    await write('one');
    const before = readlinkSync(join(directory, '..data'));
    await write('two');
    expect(readFileSync(join(directory, 'token'), 'utf8')).to.equal('two');
    expect(readdirSync(directory)).to.have.length(3).and.not.include(before);
  });

  it('is never seen without a whole token while it is written again and again', async () => {
    await write('0'.repeat(1000));
    let writing = true;
    const seen = new Set<string>();
    const reading = (async () => {
      while (writing) {
        seen.add(readFileSync(join(directory, 'token'), 'utf8'));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let version = 1; version <= 50; version++) await write(String(version % 10).repeat(1000));
    writing = false;
    await reading;
    expect([...seen].every((token) => /^(\d)\1{999}$/.test(token))).to.equal(true);
    expect(seen.size).to.be.greaterThan(1);
  });

  it('takes away what an earlier run left behind, but nothing that is not its own', async () => {
    mkdirSync(join(directory, '..2020_01_01_00_00_00.000000001'), { recursive: true });
    mkdirSync(join(directory, '..mine'));
    writeFileSync(join(directory, 'notes'), 'mine');
    await write('one');
    expect(readdirSync(directory))
      .to.include.members(['..mine', 'notes'])
      .and.not.include('..2020_01_01_00_00_00.000000001');
  });

  it('refuses to replace a file of the same name that it did not write', async () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'token'), 'mine');
    expect(await refusalCodeOf(write('one'))).to.equal('file_unreadable');
    expect(readFileSync(join(directory, 'token'), 'utf8')).to.equal('mine');
  });
});
