/**
 * Promise: whatever an app sends through two sidecars, the app behind them sees the requests that were sent and no
 * other one: each shape of request smuggling is refused, or arrives as exactly one request with its body; and who comes
 * next, on the same connection or on another one, gets the answer to the own question.
 * Real parts: dev issuer, citadel and four sidecars as processes; nginx and node:http as the apps behind them.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { AMBIGUOUS } from '../support/hostile-requests.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { Nginx } from '../support/nginx.ts';
import { RawClient } from '../support/raw-client.ts';
import { type RecordingApp, recordingApp } from '../support/recording-app.ts';
import { BODY_SHAPES, HEAD_SHAPES, ONE_REQUEST } from '../support/smuggling-shapes.ts';
import { until } from '../support/until.ts';

/** Of those in AMBIGUOUS, the ones whose head is good. */
const IN_BODY = /^a chunk |^a length in the trailers$/;
const ambiguous = (inBody: boolean): [string, string][] =>
  Object.entries(AMBIGUOUS).filter(([name]) => IN_BODY.test(name) === inBody);
const IN_HEAD_SHAPES = [...ambiguous(false), ...Object.entries(HEAD_SHAPES)];
const IN_BODY_SHAPES = [...ambiguous(true), ...Object.entries(BODY_SHAPES)];

/** One app behind the sidecars, and what it says it was asked since `watch`. */
interface Behind {
  /** Of the outbound listener that leads to it. */
  readonly port: () => number;
  /** @returns `GET /path` of everything it took for a request, whole or not, once it has seen `last` */
  watch(): Promise<(last: string) => Promise<string[]>>;
}

describe('request smuggling through two sidecars', () => {
  let mesh: TestMesh;
  let app: RecordingApp;
  let nginx: Nginx;
  let folder: string;
  let innocents = 0;

  before(async function () {
    this.timeout(60_000);
    folder = await mkdtemp(join(tmpdir(), 'sallyport-smuggling-'));
    const [nginxPort] = (await freePorts(1)) as [number];
    app = await recordingApp();
    nginx = await Nginx.start(folder, nginxServer(nginxPort), nginxPort);
    mesh = await startMesh({
      services: [
        { name: 'orders', appPort: app.port },
        { name: 'static', appPort: nginxPort },
        { name: 'web', next: 'orders' },
        { name: 'blog', next: 'static' },
      ],
    });
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await nginx?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const logFile = (): string => join(folder, 'asked.log');
  const nginxServer = (port: number): string => `
    log_format asked '$request_method $request_uri';
    server {
      listen 127.0.0.1:${port};
      merge_slashes off;
      access_log ${logFile()} asked;
      location / { return 200 "asked $request_method $request_uri."; }
    }`;

  const node: Behind = {
    port: () => mesh.service('web').plan.outbound['orders']!,
    async watch() {
      const seen = app.watch();
      return async (last) => {
        await until(`the app sees ${last}`, () => seen().some(({ line }) => line === last));
        return seen().map(({ line }) => line);
      };
    },
  };
  const behindNginx: Behind = {
    port: () => mesh.service('blog').plan.outbound['static']!,
    async watch() {
      const lines = async (): Promise<string[]> => (await readFile(logFile(), 'latin1')).split('\n').slice(0, -1);
      const before = (await lines()).length;
      return async (last) => {
        await until(`nginx logs ${last}`, async () => (await lines()).slice(before).includes(last));
        return (await lines()).slice(before);
      };
    },
  };

  const ask = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const statuses = (text: string): number[] =>
    Array.from(text.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status)).filter((status) => status >= 200);

  /** Another caller, on a connection of its own, gets its own answer. @returns what the app was asked by it */
  async function innocent(behind: Behind): Promise<string> {
    const target = `/innocent/${innocents++}`;
    await using client = await RawClient.connect(behind.port());
    const text = await client.send(ask(target)).until(/asked [^.]*\./);
    expect(text).to.match(/^HTTP\/1\.1 200 /);
    expect(text).to.include(`asked GET ${target}.`);
    expect(statuses(text)).to.deep.equal([200]);
    return `GET ${target}`;
  }

  /** Refused with one answer of the 400s, and nothing was asked. */
  async function isRefused(behind: Behind, sent: string): Promise<void> {
    const asked = await behind.watch();
    await using client = await RawClient.connect(behind.port());
    const text = await client.send(sent).closed();
    expect(statuses(text)).to.have.length(1);
    expect(statuses(text)[0]).to.be.within(400, 499);
    const last = await innocent(behind);
    expect(await asked(last)).to.deep.equal([last]);
  }

  /** The app may have seen the beginning, and may even have answered it; then everything ends. */
  async function isCut(behind: Behind, sent: string): Promise<void> {
    const asked = await behind.watch();
    await using client = await RawClient.connect(behind.port());
    const text = await client.send(sent).closed();
    expect(statuses(text)).to.have.length.within(0, 1);
    const last = await innocent(behind);
    const lines = await asked(last);
    expect(lines.filter((line) => line !== last)).to.have.length.within(0, 1);
    expect(lines.join()).not.to.include('smuggled');
  }

  for (const [what, behind] of Object.entries({ 'node:http': node, nginx: behindNginx })) {
    describe(`to ${what}`, () => {
      for (const [name, sent] of IN_HEAD_SHAPES) it(`refuses ${name}`, () => isRefused(behind, sent));

      for (const [name, sent] of IN_BODY_SHAPES) it(`carries ${name} to no end`, () => isCut(behind, sent));

      for (const [name, { sent, line, closes }] of Object.entries(ONE_REQUEST)) {
        it(`carries ${name} as one request`, async () => {
          const asked = await behind.watch();
          await using client = await RawClient.connect(behind.port());
          await client.send(sent).until(`asked ${line}.`);
          const lines = [line];
          if (closes) await client.closed();
          else {
            const next = `/next/${innocents++}`;
            await client.send(ask(next)).until(`asked GET ${next}.`);
            lines.push(`GET ${next}`);
          }
          expect(statuses(client.text)).to.deep.equal(lines.map(() => 200));
          lines.push(await innocent(behind));
          expect(await asked(lines.at(-1)!)).to.deep.equal(lines);
        });
      }

      it('answers requests that were sent ahead each with its own, up to one that is ambiguous', async () => {
        const asked = await behind.watch();
        await using client = await RawClient.connect(behind.port());
        const text = await client.send(ask('/1') + ask('/2') + HEAD_SHAPES['CL.TE']).closed();
        expect(statuses(text)).to.deep.equal([200, 200, 400]);
        expect(text).to.match(/asked GET \/1\.[\s\S]*asked GET \/2\.[\s\S]*"code":"http_malformed"/);
        const last = await innocent(behind);
        expect(await asked(last)).to.deep.equal(['GET /1', 'GET /2', last]);
      });

      it('reads no HTTP/2 behind an upgrade to it that was ignored', async () => {
        const asked = await behind.watch();
        await using client = await RawClient.connect(behind.port());
        const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
        await client.send(`GET /shape HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`).until('asked GET /shape.');
        const text = await client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').closed();
        expect(statuses(text)).to.deep.equal([200, 400]);
        const last = await innocent(behind);
        expect(await asked(last)).to.deep.equal(['GET /shape', last]);
      });
    });
  }

  for (const [name, { sent, body }] of Object.entries(ONE_REQUEST)) {
    it(`brings ${name} with its body and the proven caller`, async () => {
      const seen = app.watch();
      await using client = await RawClient.connect(node.port());
      await client.send(sent).until(/asked [^.]*\./);
      const [request] = seen();
      expect([request!.whole, request!.body, request!.trailers]).to.deep.equal([true, body, []]);
      const fields = request!.fields.join('\n');
      expect(fields).not.to.match(/evil|h2c|http2-settings/i);
      expect(fields.match(/client.cert/gi)).to.have.length(1);
      expect(fields).to.include(`URI=${mesh.service('web').plan.spiffeId}`);
      expect(fields.match(/^host$/gim)).to.have.length(1);
    });
  }

  for (const [name, sent] of IN_BODY_SHAPES) {
    it(`lets no app take ${name} for a whole request`, async () => {
      const seen = app.watch();
      await using client = await RawClient.connect(node.port());
      const text = await client.send(sent).closed();
      // Nothing has answered it yet, so it is told why.
      expect(statuses(text)).to.have.length(1);
      expect(statuses(text)[0]).to.be.within(400, 499);
      const last = await innocent(node);
      const whole = seen().filter((request) => request.whole);
      expect(whole.map(({ line }) => line)).to.deep.equal([last]);
    });
  }
});
