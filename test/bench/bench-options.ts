/** What `npm run bench` is asked for, and how a run of the hop fits into the minutes it may take. Pure. */
import { parseArgs } from 'node:util';
import { fits, type Load, type LoadKind, titleOf } from './load.ts';
import type { Variant } from './variant.ts';
import { VARIANTS } from './variants.ts';

export interface BenchOptions {
  /** Benches to run, in this order. */
  readonly names: readonly string[];
  readonly variants: readonly Variant[];
  readonly loads: readonly Load[];
  readonly idle: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  /** What was left out so that the run fits. */
  readonly leftOut: readonly string[];
  readonly scale: number;
  readonly json: boolean;
  readonly out: string | undefined;
  readonly sidecarHome: string | undefined;
}

export const USAGE = `npm run bench [-- NAME ...] [options]
  NAME                 hop, start, memory, issuance; without names: hop, start, memory
  --quick              the hop with fewer rows and loads, in less than two minutes
  --only A,B           rows of the hop: ${VARIANTS.map(({ name }) => name).join(', ')}
  --loads A,B          1k, 64k, bulk, h2, handshakes, idle
  --connections A,B    for 1k and 64k; default 64,8,1,256
  --rounds N           default 3
  --seconds N          of one run, whole seconds; default: 3, less when the minutes want it
  --minutes N          most that the hop may take; default 13
  --sidecar DIR        a folder with bin/ and dist/ instead of a fresh build
  --json               print the report as JSON instead of tables
  --out FILE           where every run is kept; default: a new file in the folder for temporary files
  --scale N            rounds of issuance and start, times N`;

/** A mistake of whoever called; the message is all there is to say. */
export class UsageError extends Error {}

const LOAD_KINDS = ['1k', '64k', 'bulk', 'h2', 'handshakes', 'idle'];
const BENCHES = ['hop', 'start', 'memory', 'issuance'];
const QUICK_KINDS = LOAD_KINDS.filter((kind) => kind !== 'handshakes');
const QUICK_ROWS_WITHOUT = ['envoy-tcp', 'envoy-http1', 'envoy-h2', 'sallyport-http-2-workers'];
/** Starting it all, a compile included. */
const START_SECONDS = 15;
/** Start and end of the load's own program. */
const AROUND_A_RUN_SECONDS = 0.2;
const IDLE_ROW_SECONDS = 6;

export function parseOptions(args: readonly string[]): BenchOptions {
  const { positionals, values } = parse(args);
  const { quick } = values;
  const rows = list(
    values.only,
    'row',
    VARIANTS.map(({ name }) => name),
  );
  const variants = VARIANTS.filter(({ name }) =>
    rows ? rows.includes(name) : !(quick && QUICK_ROWS_WITHOUT.includes(name)),
  );
  const kinds = list(values.loads, 'load', LOAD_KINDS) ?? (quick ? QUICK_KINDS : LOAD_KINDS);
  const rounds = number('rounds', values.rounds) ?? (quick ? 1 : 3);
  const connections = values.connections?.split(',').map((text) => number('connections', text)!);
  const loads = quick && !connections ? quickLoads(kinds) : allLoads(kinds, connections ?? [64, 8, 1, 256]);
  const idle = kinds.includes('idle') ? [256, 1024] : [];
  const plan = { variants, loads, idle, rounds };
  const fitting = fitted(
    plan,
    number('seconds', values.seconds),
    60 * (number('minutes', values.minutes) ?? (quick ? 1.8 : 13)),
  );
  return {
    ...plan,
    ...fitting,
    names: named(positionals, quick),
    scale: number('scale', values.scale) ?? 1,
    json: values.json,
    out: values.out,
    sidecarHome: values.sidecar,
  };
}

/** Seconds that the hop will take. */
export function estimate(
  { variants, loads, idle, rounds }: Pick<BenchOptions, 'variants' | 'loads' | 'idle' | 'rounds'>,
  seconds: number,
): number {
  const ofLoads = loads.map((load) => {
    const each = rounds * (secondsOf(load, seconds) + AROUND_A_RUN_SECONDS) + 1 + AROUND_A_RUN_SECONDS;
    return each * variants.filter((variant) => fits(load, variant)).length;
  });
  const ofIdle = idle.length > 0 ? IDLE_ROW_SECONDS * variants.filter(({ relay }) => relay === 'tcp').length : 0;
  return START_SECONDS + ofIdle + ofLoads.reduce((sum, one) => sum + one, 0);
}

/** Handshakes are alike: a second shows their cost. */
export function secondsOf({ kind }: Load, seconds: number): number {
  return kind === 'handshakes' ? Math.min(1, seconds) : seconds;
}

type Plan = Parameters<typeof estimate>[0];

/** Shorter runs first, down to 2 s; then fewer loads, the last named first; then runs of 1 s. */
function fitted(
  plan: Plan,
  asked: number | undefined,
  budget: number,
): { seconds: number; loads: readonly Load[]; leftOut: string[] } {
  const loads = [...plan.loads];
  const leftOut: string[] = [];
  if (asked !== undefined) return { seconds: asked, loads, leftOut };
  const spare = loads.filter(({ kind, connections }) => kind === '64k' && (connections === 1 || connections === 256));
  for (;;) {
    const seconds = [3, 2].find((one) => estimate({ ...plan, loads }, one) <= budget);
    if (seconds !== undefined) return { seconds, loads, leftOut };
    const dropped = spare.pop();
    if (!dropped) return { seconds: 1, loads, leftOut };
    loads.splice(loads.indexOf(dropped), 1);
    leftOut.push(titleOf(dropped));
  }
}

function allLoads(kinds: readonly string[], connections: readonly number[]): Load[] {
  const requests = (['1k', '64k'] as const).flatMap((kind) =>
    connections.map((count) => ({ kind, connections: count })),
  );
  return [...requests, ...otherLoads()].filter(({ kind }) => kinds.includes(kind));
}

function quickLoads(kinds: readonly string[]): Load[] {
  const requests: Load[] = [
    { kind: '1k', connections: 64 },
    { kind: '1k', connections: 8 },
    { kind: '64k', connections: 64 },
  ];
  return [...requests, ...otherLoads()].filter(({ kind }) => kinds.includes(kind));
}

function otherLoads(): Load[] {
  const load = (kind: LoadKind, connections: number): Load => ({ kind, connections });
  return [load('bulk', 4), load('h2', 8), load('handshakes', 0)];
}

function named(positionals: readonly string[], quick: boolean): readonly string[] {
  const unknown = positionals.find((name) => !BENCHES.includes(name));
  if (unknown !== undefined) throw new UsageError(`no bench ${unknown}; there are: ${BENCHES.join(', ')}`);
  if (positionals.length > 0) return positionals;
  return quick ? ['hop'] : ['hop', 'start', 'memory'];
}

function list(text: string | undefined, what: string, known: readonly string[]): readonly string[] | undefined {
  const names = text?.split(',');
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`no ${what} ${unknown}; there are: ${known.join(', ')}`);
  return names;
}

function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const whole = name !== 'minutes' && name !== 'scale';
  const value = Number(text);
  if (!(value > 0) || (whole && !Number.isInteger(value))) {
    throw new UsageError(`--${name} ${text}: expected a${whole ? ' whole' : ''} number above 0`);
  }
  return value;
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: flag,
        json: flag,
        only: text,
        loads: text,
        connections: text,
        rounds: text,
        seconds: text,
        minutes: text,
        sidecar: text,
        out: text,
        scale: text,
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
