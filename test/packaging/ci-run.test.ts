import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { tool } from '../support/tool.ts';
import { ROOT } from './rendered.ts';

/** What the stand-in for npm does for each of its command lines: mocha's totals, and an exit code. */
type Npm = Readonly<Record<string, { readonly totals?: string; readonly exit?: number }>>;

const GOOD: Npm = {
  'ci --no-audit --no-fund': {},
  test: { totals: '40 0 0' },
  'run demo': {},
  'run test:slow': { totals: '7 0 0' },
};

describe('.ci/run', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sallyport-'));
    mkdirSync(path.join(folder, '.ci'));
    cpSync(path.join(ROOT, '.ci/run'), path.join(folder, '.ci/run'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function runWith(npm: Npm) {
    const cases = Object.entries(npm).map(
      ([words, { totals, exit = 0 }]) =>
        `"${words}") ${totals ? `echo ${totals} >>"$TEST_TOTALS"; ` : ''}exit ${exit} ;;`,
    );
    writeFileSync(
      path.join(folder, 'npm'),
      `#!/bin/sh\necho "npm $*"\ncase "$*" in\n${cases.join('\n')}\n*) exit 99 ;;\nesac\n`,
    );
    chmodSync(path.join(folder, 'npm'), 0o755);
    const { code, stdout } = await tool('bash', ['.ci/run'], {
      cwd: folder,
      environment: { PATH: `${folder}:${process.env['PATH']}` },
    });
    return { code, last: stdout.trimEnd().split('\n').at(-1), commands: stdout.match(/^npm .*/gm) };
  }

  it('runs both commands of the README and the slow tests, and ends with the sum', async () => {
    const { code, last, commands } = await runWith(GOOD);
    expect(commands).to.deep.equal(Object.keys(GOOD).map((words) => `npm ${words}`));
    expect({ code, last }).to.deep.equal({ code: 0, last: '49 passed, 0 failed' });
  });

  it('fails and goes on when a test fails', async () => {
    const outcome = await runWith({ ...GOOD, test: { totals: '39 1 0', exit: 1 } });
    expect(outcome).to.include({ code: 1, last: '48 passed, 1 failed' });
    expect(outcome.commands).to.include('npm run test:slow');
  });

  it('fails when tests cannot begin, or crash after some', async () => {
    expect(await runWith({ ...GOOD, test: { exit: 1 } })).to.include({ code: 1, last: '9 passed, 1 failed' });
    expect(await runWith({ ...GOOD, test: { totals: '40 0 0', exit: 139 } })).to.include({
      code: 1,
      last: '49 passed, 1 failed',
    });
  });

  it('fails when the demo fails', async () => {
    expect(await runWith({ ...GOOD, 'run demo': { exit: 1 } })).to.include({ code: 1, last: '48 passed, 1 failed' });
  });

  it('fails when a run finds no tests', async () => {
    expect(await runWith({ ...GOOD, 'run test:slow': { totals: '0 0 0' } })).to.include({
      code: 1,
      last: '42 passed, 1 failed',
    });
  });

  it('ends at once when nothing can be installed', async () => {
    const { code, last, commands } = await runWith({ ...GOOD, 'ci --no-audit --no-fund': { exit: 1 } });
    expect({ code, last }).to.deep.equal({ code: 1, last: '0 passed, 1 failed' });
    expect(commands).to.have.length(1);
  });
});
