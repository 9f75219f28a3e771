/** The loads of the table: what is sent through a hop, how often, and what one unit of it is. */
import type { MeshSvid } from '../support/one-sidecar.ts';
import type { BenchApp } from './bench-app.ts';
import { handshake } from './handshake-load.ts';
import { type LoadResult, readH2load, readWrk } from './load-output.ts';
import type { Programs } from './programs.ts';
import type { Hop, Variant } from './variant.ts';

export type LoadKind = '1k' | '64k' | 'bulk' | 'h2' | 'handshakes';

export interface Load {
  readonly kind: LoadKind;
  /** Of the app at the first proxy; for handshakes there are none. */
  readonly connections: number;
}

export interface Tools {
  readonly programs: Programs;
  readonly svid: MeshSvid;
}

/** Streams at a time on each connection of the gRPC-like load. */
const STREAMS = 16;

/** Bytes of a gigabyte, as in MB/s and GB of disks and networks. */
export const GIGA = 1e9;

const TITLES: Readonly<Record<LoadKind, string>> = {
  '1k': 'requests, 1 KiB',
  '64k': 'requests, 64 KiB',
  bulk: 'bulk, 64 MiB answers',
  h2: `HTTP/2 of the app through the TCP port, ${STREAMS} streams each, 1 KiB`,
  handshakes: 'full mutual handshakes with the second proxy',
};

export function titleOf({ kind, connections }: Load): string {
  return kind === 'handshakes'
    ? TITLES[kind]
    : `${TITLES[kind]}, ${connections} connection${connections > 1 ? 's' : ''}`;
}

/** Only proxies that carry bytes can carry the HTTP/2 of an app without looking into it. */
export function fits(load: Load, { relay }: Pick<Variant, 'relay'>): boolean {
  return load.kind !== 'h2' || relay === 'tcp';
}

/** Where the app answers such a load. */
export function appPort({ kind }: Load, app: BenchApp): number {
  return kind === 'h2' ? app.http2Port : app.port;
}

export async function send(load: Load, hop: Hop, seconds: number, { programs, svid }: Tools): Promise<LoadResult> {
  const url = (path: string): string => `http://127.0.0.1:${hop.entryPort}/${path}`;
  const { kind, connections } = load;
  if (kind === 'handshakes') {
    const requests = await handshake({ port: hop.middlePort, svid, alpn: hop.alpn, seconds });
    return { requests, bytes: 0, seconds, p50: undefined, p99: undefined };
  }
  if (kind === 'h2') {
    const command = ['h2load', '-t1', `-c${connections}`, `-m${STREAMS}`, '-D', String(seconds), url('1k')];
    return readH2load(await programs.output('h2load', command));
  }
  const command = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '10s', url(kind)];
  const result = readWrk(await programs.output('wrk', command));
  // The time of 64 MiB is no latency.
  return kind === 'bulk' ? { ...result, p50: undefined, p99: undefined } : result;
}
