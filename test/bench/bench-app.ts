/**
 * The application behind every hop: one nginx that answers 1 KiB from memory, 64 KiB and a large file from the page
 * cache, over HTTP/1.1 and, on a second port, over HTTP/2 without TLS, as a gRPC server would.
 */
import { existsSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nginxConfig, STREAM_MODULE } from './nginx-config.ts';
import type { Programs } from './programs.ts';

export interface BenchApp {
  readonly port: number;
  readonly http2Port: number;
}

/** Large enough that the head of an answer costs nothing beside its body. */
export const BULK_BYTES = 64 << 20;

export async function startApp(programs: Programs, directory: string, ports: BenchApp): Promise<BenchApp> {
  const root = join(directory, 'app');
  await mkdir(root, { recursive: true });
  await writeFile(join(root, '64k'), Buffer.alloc(64 << 10, 'x'));
  const bulk = await open(join(root, 'bulk'), 'w');
  await bulk.truncate(BULK_BYTES);
  await bulk.close();
  const file = join(directory, 'app.conf');
  await writeFile(file, appConfig(directory, root, ports));
  await programs.serve('app', ['nginx', '-e', 'stderr', '-c', file], ports.port);
  return ports;
}

function appConfig(directory: string, root: string, { port, http2Port }: BenchApp): string {
  const server = (listen: string): string => `
  server { listen 127.0.0.1:${listen}; keepalive_requests 1000000000; keepalive_timeout 1h; root ${root};
    location = /1k { default_type text/plain; return 200 "${'x'.repeat(1024)}"; } }`;
  return nginxConfig({
    directory,
    name: 'app',
    kind: 'http',
    servers: `sendfile on; open_file_cache max=16; http2_max_concurrent_streams 1024;${server(`${port}`)}${server(`${http2Port} http2`)}`,
    ...nginxHere(),
  });
}

/** What of this machine an nginx configuration depends on. */
export function nginxHere(): { asRoot: boolean; hasStreamModule: boolean } {
  return { asRoot: process.getuid?.() === 0, hasStreamModule: existsSync(STREAM_MODULE) };
}
