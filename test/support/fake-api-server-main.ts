/**
 * The fake API server as a process of its own, for end-to-end tests: `node fake-api-server-main.ts DIRECTORY [PORT]`
 * writes `ca.crt` and citadel's `token` into the directory and prints one line of JSON, {url, issuer, adminToken, controlUrl},
 * when it listens. Pods and tokens are made over its API with the admin token; faults by `POST /fake/fail`,
 * `/fake/heal`, `/fake/rotate-key`, `/fake/forbid-reviews`, `/fake/allow-reviews` at `controlUrl`, in plain HTTP.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { systemClock } from '../../shared/clock/clock.ts';
import { FakeApiServer, type Fault } from './fake-api-server.ts';

const [directory = '.', port = '0'] = process.argv.slice(2);
const server = await new FakeApiServer({ clock: systemClock }).start(Number(port));

const COMMANDS: Readonly<Record<string, (body: string) => void>> = {
  '/fake/fail': (body) => {
    const { path, ...fault } = JSON.parse(body) as Omit<Fault, 'path'> & { path?: string };
    server.fail({ ...fault, ...(path === undefined ? {} : { path: new RegExp(path) }) });
  },
  '/fake/heal': () => server.heal(),
  '/fake/rotate-key': () => server.tokens.rotateKey(true),
  '/fake/forbid-reviews': () => server.forbidReviews(),
  '/fake/allow-reviews': () => server.allowReviews(),
};

const control = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    COMMANDS[request.url ?? '']?.(Buffer.concat(parts).toString());
    response.writeHead(204).end();
  });
});
await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve));
const address = control.address();

mkdirSync(directory, { recursive: true });
writeFileSync(join(directory, 'ca.crt'), server.caPem);
writeFileSync(join(directory, 'token'), server.reviewerToken(86_400), { mode: 0o600 });
const controlUrl = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
process.stdout.write(
  `${JSON.stringify({ url: server.url, issuer: server.issuer, adminToken: server.adminToken, controlUrl })}\n`,
);

process.on('SIGTERM', () => process.exit(0));
