/** What `npm run bench` is asked for. Pure. */
import { parseArgs } from 'node:util';
import type { Load, LoadKind } from './load.ts';
import type { Variant } from './variant.ts';
import { VARIANTS } from './variants.ts';

export interface BenchOptions {
  /** Benches to run, in this order. */
  readonly names: readonly string[];
  readonly variants: readonly Variant[];
  readonly loads: readonly Load[];
  /** How many idle connections memory is looked at with, fewer first; empty: not measured. */
  readonly idle: readonly number[];
  readonly rounds: number;
  /** Of one run; undefined: as many as fit into the minutes. */
  readonly seconds: number | undefined;
  /** Most that the hop may take. */
  readonly minutes: number;
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
const QUICK_MINUTES = 1.8;
const MINUTES = 13;

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
  return {
    variants,
    loads,
    idle: kinds.includes('idle') ? [256, 1024] : [],
    rounds,
    seconds: number('seconds', values.seconds),
    minutes: number('minutes', values.minutes) ?? (quick ? QUICK_MINUTES : MINUTES),
    names: named(positionals, quick),
    scale: number('scale', values.scale) ?? 1,
    json: values.json,
    out: values.out,
    sidecarHome: values.sidecar,
  };
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
