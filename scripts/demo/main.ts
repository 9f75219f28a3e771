/**
 * The main job in one command: three services with a sidecar each, certificates of 30 s that rotate under
 * traffic, and three attempts that are refused. Exits 0 only if all of it happened. It runs the real programs
 * by their real command lines, on loopback only, and leaves nothing running (except with --keep).
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Mesh } from '../local-mesh/mesh.ts';
import { takenPorts } from '../local-mesh/ports.ts';
import { demoPlan, PORT_COUNT } from './demo-plan.ts';
import { createScreen, type Screen } from './screen.ts';
import { runStory } from './story.ts';
import { thingsToTry } from './things-to-try.ts';

const HELP = `Usage: npm run demo -- [options]

  --keep            leave everything running afterwards and print what to try
  --json            one JSON object per line instead of text
  --port-base N     first of the ${PORT_COUNT} loopback ports to use (default 26000)
  --help            this text

Exit codes: 0 all of it happened, 1 something did not, 2 the command line or a port is not usable, 130 interrupted.`;

const OLDEST_NODE = [26, 9];

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const problem = nodeProblem() ?? (await portProblem(options.portBase));
  if (problem) {
    process.stderr.write(`${problem}\n`);
    return 2;
  }
  const began = performance.now();
  const screen = createScreen({ json: options.json, out: process.stdout, elapsed: () => performance.now() - began });
  return runIn(await mkdtemp(join(tmpdir(), 'sallyport-demo-')), { ...options, screen });
}

async function runIn(
  directory: string,
  { keep, portBase, screen }: { keep: boolean; portBase: number; screen: Screen },
): Promise<number> {
  const mesh = new Mesh(demoPlan(directory, portBase));
  const interrupt = new AbortController();
  // For good and not once: an impatient second Ctrl-C must not cut the ending short.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());
  const interrupted = once(interrupt.signal, 'abort');
  const story = runStory(mesh, screen, interrupt.signal);
  try {
    await Promise.race([story, interrupted]);
    if (interrupt.signal.aborted) {
      screen.line('\nInterrupted: everything that was started is being ended.');
      return 130;
    }
    const outcome = await story;
    screen.result(outcome);
    if (keep) {
      screen.line(thingsToTry(mesh.plan));
      await interrupted;
      screen.line('\nEnding everything that was started.');
    }
    return outcome.checks.every((check) => check.ok) ? 0 : 1;
  } catch (error) {
    screen.line(`\nThe demo stopped: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await mesh.stop();
    await story.catch(() => undefined); // told above, or a consequence of ending what it talks to
    await rm(directory, { recursive: true, force: true });
  }
}

function readOptions(): { keep: boolean; json: boolean; help: boolean; portBase: number } | string {
  try {
    const { values } = parseArgs({
      options: {
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        'port-base': { type: 'string', default: '26000' },
      },
    });
    const portBase = Number(values['port-base']);
    if (!Number.isInteger(portBase) || portBase < 1024 || portBase > 65_535 - PORT_COUNT) {
      return `--port-base must be a whole number from 1024 to ${65_535 - PORT_COUNT}.`;
    }
    return { keep: values.keep, json: values.json, help: values.help, portBase };
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${HELP}`;
  }
}

function nodeProblem(): string | undefined {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fits = major > OLDEST_NODE[0]! || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]!);
  return fits
    ? undefined
    : `This is Node ${process.versions.node}; Sallyport needs ${OLDEST_NODE.join('.')} or newer. Run it as: npm ci && npm run demo`;
}

async function portProblem(base: number): Promise<string | undefined> {
  const taken = await takenPorts(Array.from({ length: PORT_COUNT }, (_, at) => base + at));
  if (taken.length === 0) return undefined;
  return `Port ${taken.join(', ')} on 127.0.0.1 is taken. End what listens there (\`ss -ltnp\` names it) or choose others: npm run demo -- --port-base ${base + 1000}`;
}

process.exitCode = await main();
