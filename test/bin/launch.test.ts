/** The launchers on an older Node: they find the right one, hand over, and stay out of the way. */

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Running } from '../../scripts/local-mesh/running.ts';

const BIN = fileURLToPath(new URL('../../bin', import.meta.url));
/** Makes this Node say that it is an older one; a Node that it starts does not. */
const OLD =
  "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.1'}})";

interface Result {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

describe('the launchers', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'launch-'));
  });
  after(() => rm(folder, { recursive: true }));

  const run = (args: readonly string[]): Promise<Result> =>
    new Promise((resolve) => {
      execFile(process.execPath, args, { timeout: 15_000 }, (error, out, err) =>
        resolve({ code: error?.code ?? 0, out, err }),
      );
    });
  /** A package of its own, with programs that only say where they come from. */
  const packageAt = async (name: string): Promise<string> => {
    const root = join(folder, name);
    await cp(BIN, join(root, 'bin'), { recursive: true });
    await mkdir(join(root, 'citadel'));
    await writeFile(join(root, 'package.json'), '{"type":"module"}');
    await writeFile(
      join(root, 'citadel', 'main.ts'),
      "const from: string = 'sources';\nconsole.log(from, ...process.argv.slice(2));\n",
    );
    return root;
  };

  it('hand over to the Node that npm installed, with arguments, outputs and exit code', async () => {
    const version = await run(['--import', OLD, join(BIN, 'citadel.js'), '--version']);
    expect(version).to.deep.include({ code: 0, err: '' });
    expect(version.out).to.match(/^citadel \d/);
    const wrong = await run(['--import', OLD, join(BIN, 'citadel.js'), 'serve', '--wrong']);
    expect(wrong.code).to.equal(2);
    expect(wrong.err).to.include('unknown flag `--wrong`');
  });

  it('take no SIGHUP for the end of a program that stays, however early it comes', async () => {
    const root = await packageAt('early');
    // A program that has not begun to listen to signals yet: it hangs up on itself, and goes on.
    await writeFile(
      join(root, 'citadel', 'main.ts'),
      "process.kill(process.pid, 'SIGHUP');\nsetImmediate(() => setImmediate(() => console.log('still here')));\n",
    );
    const early = (command: string) => run([join(root, 'bin', 'citadel.js'), command]);
    expect(await early('serve')).to.deep.include({ code: 0, out: 'still here\n' });
    expect((await early('init')).out).to.equal('');
  });

  it('pass a signal on, and end when the program has ended in order', async () => {
    const config = join(folder, 'issuer.yaml');
    await writeFile(config, `{listen: "127.0.0.1:0", directory: ${join(folder, 'tokens')}, log: {format: json}}`);
    const launcher = new Running({
      name: 'launcher',
      command: [process.execPath, '--import', OLD, join(BIN, 'citadel.js'), 'dev-issuer', '--config', config],
    });
    const { fields } = await launcher.event('started', ({ event }) => event === 'dev_issuer_started');
    launcher.child.kill('SIGTERM');
    expect(await launcher.exited).to.deep.equal({ code: 0, signal: null });
    expect(launcher.events(({ event }) => event === 'stopping')[0]?.fields).to.include({ signal: 'SIGTERM' });
    const gone = await fetch(String(fields['issuer'])).then(
      () => 'answers',
      () => 'gone',
    );
    expect(gone).to.equal('gone');
  });

  it('say in one line what to do when there is no Node to hand over to', async () => {
    const root = await packageAt('bare');
    const { code, out, err } = await run(['--import', OLD, join(root, 'bin', 'citadel.js'), '--version']);
    expect([code, out, err.split('\n').length]).to.deep.equal([1, '', 2]);
    expect(err).to.match(/^citadel: needs Node 26\.9 or newer, this is 20\.11\.1, .*`npm ci`/);
  });

  it('start the sources, whatever an earlier build has left beside them', async () => {
    const root = await packageAt('clone');
    await buildIn(root);
    expect((await run([join(root, 'bin', 'citadel.js'), 'a', '--b'])).out).to.equal('sources a --b\n');
  });

  it('start built JavaScript where it comes without the sources, as in the image', async () => {
    const root = await packageAt('image');
    await buildIn(root);
    await rm(join(root, 'citadel'), { recursive: true });
    expect((await run([join(root, 'bin', 'citadel.js'), 'a', '--b'])).out).to.equal('built a --b\n');
  });
});

async function buildIn(root: string): Promise<void> {
  await mkdir(join(root, 'dist', 'citadel'), { recursive: true });
  await writeFile(join(root, 'dist', 'citadel', 'main.js'), "console.log('built', ...process.argv.slice(2));\n");
}
