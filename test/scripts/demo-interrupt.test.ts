/**
 * Promise: whenever someone interrupts the demo, it ends soon, ends what it started and leaves no file behind.
 * Real parts: the demo and all of its programs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { PORT_COUNT } from '../../scripts/demo/demo-plan.ts';
import { takenPorts } from '../../scripts/local-mesh/ports.ts';

const DEMO = join(import.meta.dirname, '../../scripts/demo/main.ts');
/** Below the range from which the kernel takes ports of clients. */
const BASE = 28_300;
const PORTS = Array.from({ length: PORT_COUNT }, (_, at) => BASE + at);

describe('the demo, when it is interrupted', () => {
  let folder: string;
  let demo: ChildProcess;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'demo-interrupt-'));
    demo = spawn(process.execPath, [DEMO, '--json', '--port-base', String(BASE)], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  });
  afterEach(async () => {
    demo.kill('SIGKILL'); // a no-op after a test that passed
    await rm(folder, { recursive: true, force: true });
  });

  const MOMENTS = [
    ['before anything is ready', 'dev issuer'],
    ['while sidecars start', 'citadel'],
    ['while traffic flows', 'mallory'],
    ['while it waits for rotation', 'demo'],
  ] as const;

  for (const [moment, who] of MOMENTS) {
    it(`${moment}, ends with 130 and leaves nothing`, async () => {
      const exit = once(demo, 'exit');
      for await (const line of createInterface({ input: demo.stdout! }))
        if ((JSON.parse(line) as { who?: string }).who === who) break;
      demo.stdout!.resume();
      demo.kill('SIGINT');
      demo.kill('SIGINT'); // the impatient
      expect(await exit).to.deep.equal([130, null]);
      expect(await readdir(folder)).to.deep.equal([]);
      expect(await takenPorts(PORTS)).to.deep.equal([]);
    }).timeout(30_000);
  }
});
