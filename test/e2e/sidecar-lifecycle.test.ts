/**
 * Promise: a sidecar starts with a clear word or not at all, ends without cutting what can finish, renews on demand,
 * outlives an expired token and takes the next one by itself; and nothing that it writes or shows holds a key, a
 * certificate or a token.
 * Real parts: dev issuer, citadel and a sidecar as processes; the test is its app and its peer.
 */
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises';
import http, { type ServerResponse } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Service } from '../../scripts/local-mesh/mesh.ts';
import { asYaml, type ServicePlan } from '../../scripts/local-mesh/mesh-plan.ts';
import type { Running } from '../../scripts/local-mesh/running.ts';
import { type App, httpApp } from '../support/app-server.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { metricAt, obtainSvid, peerOf } from '../support/one-sidecar.ts';
import type { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';

const DRAIN = 1;
const GET = 'GET /gated HTTP/1.1\r\nHost: a\r\n\r\n';
const SECRET = /PRIVATE|BEGIN |eyJ/;

describe('the life of a sidecar', () => {
  let app: App<unknown>;
  let mesh: TestMesh;
  let plan: ServicePlan;
  let sidecar: Running | undefined;
  /** Every sidecar of this run. */
  const all: Running[] = [];
  /** Answers that wait for the test. */
  const gated: ServerResponse[] = [];

  before(async function () {
    this.timeout(60_000);
    app = await httpApp((_request, response) => void gated.push(response));
    const settings = { limits: { drainSeconds: DRAIN }, log: { format: 'json', level: 'debug', access: 'info' } };
    mesh = await plannedMesh({
      services: [{ name: 'orders', appPort: app.port, settings }, { name: 'web' }],
      expired: ['late'],
    });
    plan = mesh.plan.services[0]!;
    await mesh.startIssuer();
    await mesh.startCitadel();
  });
  afterEach(async () => {
    for (const response of gated.splice(0)) response.destroy();
    await sidecar?.stop();
    sidecar = undefined;
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  async function start(): Promise<Service> {
    const service = await mesh.startService('orders');
    sidecar = service.sidecar;
    all.push(sidecar);
    return service;
  }

  /** With these settings, whether or not it becomes ready. */
  async function launch(name: string, settings: object): Promise<Running> {
    const file = join(mesh.plan.directory, `${name}.yaml`);
    await writeFile(file, asYaml(settings), { mode: 0o600 });
    const running = mesh.run(name, ['bin/sidecar.js', 'run', '--config', file]);
    all.push(running);
    return running;
  }

  /** A peer whose request waits in the app. */
  async function asking(): Promise<RawClient> {
    const client = await peerOf(plan.ports.inbound, await obtainSvid(mesh, 'web'));
    client.socket.on('end', () => client.end()); // as any client does
    client.send(GET);
    await until('the app is asked', () => gated.length > 0);
    return client;
  }

  const page = async (port: number, path: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      http
        .get({ host: '127.0.0.1', port, path, headers, agent: false }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        })
        .on('error', reject);
    });

  it('drains on SIGTERM: not ready, closed to newcomers, and what was asked is answered before it ends with 0', async () => {
    const running = (await start()).sidecar;
    await using client = await asking();
    const draining = running.next('draining', ({ event }) => event === 'draining');
    running.child.kill('SIGTERM');
    await draining;
    const { status, text } = await page(plan.ports.health, '/readyz');
    expect([status, JSON.parse(text).missing[0].what]).to.deep.equal([503, 'draining']);
    expect((await page(plan.ports.health, '/healthz')).status).to.equal(200);
    expect(await refusedAt(plan.ports.inbound)).to.equal('ECONNREFUSED');
    gated.pop()!.end('in the end');
    expect(await client.closed()).to.match(/ 200 OK\r\n[\s\S]*connection: close\r\n[\s\S]*in the end$/i);
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect(running.events(({ event }) => event === 'stopped')[0]?.fields).to.include({ clean: true });
  });

  it('cuts what is not over after drainSeconds, says so, and ends with 6', async () => {
    const running = (await start()).sidecar;
    await using client = await asking();
    const began = performance.now();
    running.child.kill('SIGTERM');
    expect(await running.exited).to.deep.equal({ code: 6, signal: null });
    expect(performance.now() - began).to.be.within(DRAIN * 900, DRAIN * 1000 + 2_500);
    expect(running.events(({ event }) => event === 'drain_cut')).to.have.length(1);
    expect(await client.closed()).not.to.match(/ 200 OK/);
  });

  it('ends at once with 0 when nothing is in progress, also with idle connections of peers', async () => {
    const running = (await start()).sidecar;
    await using client = await asking();
    gated.pop()!.end('served');
    await client.until('served');
    const began = performance.now();
    running.child.kill('SIGTERM');
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect(performance.now() - began).to.be.below(DRAIN * 1000);
    await client.closed();
  });

  it('ends with 0 also when an idle peer never closes its half of the connection', async () => {
    const running = (await start()).sidecar;
    await using client = await peerOf(plan.ports.inbound, await obtainSvid(mesh, 'web'));
    client.send(GET);
    await until('the app is asked', () => gated.length > 0);
    gated.pop()!.end('served');
    await client.until('served');
    running.child.kill('SIGTERM');
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect(running.events(({ event }) => event === 'drain_cut')).to.deep.equal([]);
  });

  it('fetches a new certificate on SIGHUP', async () => {
    const running = (await start()).sidecar;
    const serial = async (): Promise<string> =>
      JSON.parse((await page(plan.ports.admin, '/identity')).text).identity.serial;
    const [before, generation] = [await serial(), await metricAt(plan.ports.metrics, 'sidecar_certificate_generation')];
    const published = running.next('a new certificate', ({ event }) => event === 'identity_published');
    running.child.kill('SIGHUP');
    await published;
    expect(await serial()).not.to.equal(before);
    expect(await metricAt(plan.ports.metrics, 'sidecar_certificate_generation')).to.equal(generation + 1);
  });

  it('shows no secret on any page, and its admin port answers to loopback names only', async () => {
    await start();
    const { admin, health, metrics } = plan.ports;
    for (const [port, path] of [
      [admin, '/identity'],
      [admin, '/config'],
      [admin, '/connections'],
      [admin, '/'],
      [health, '/readyz'],
      [metrics, '/metrics'],
    ] as const) {
      const { text } = await page(port, path);
      expect(text, path).not.to.match(SECRET).and.not.to.equal('');
    }
    for (const host of ['evil.example', 'evil.example:15000', '10.0.0.1', '127.0.0.1.evil.example', 'localhost.evil'])
      expect(await page(admin, '/identity', { host }), host).to.include({ status: 421 });
    for (const host of ['localhost', `127.0.0.1:${admin}`, '[::1]:80'])
      expect((await page(admin, '/identity', { host })).status, host).to.equal(200);
  });

  it('ends with 5 and one line when a port is taken', async () => {
    await start();
    const second = await launch('second', { ...plan.settings, admin: { listen: '127.0.0.1:0' } });
    expect(await second.exited).to.deep.equal({ code: 5, signal: null });
    const complaint = second.lines.filter((line) => !line.startsWith('{'));
    expect(complaint).to.have.length(1);
    expect(complaint[0]).to.match(/^sidecar: address_in_use: /);
    expect((await page(plan.ports.health, '/readyz')).status, 'the first one').to.equal(200);
  });

  it('ends with 3 and names every mistake in its configuration, each with its line', async () => {
    const mistaken = await launch('mistaken', {
      ...plan.settings,
      trustDomain: 'Not A Domain',
      tokenFil: '/token',
      admin: { listen: '0.0.0.0:15000' },
      outbound: [{ name: 'x', listen: '127.0.0.1:1', to: 'nowhere', peers: [] }],
    });
    expect(await mistaken.exited).to.deep.equal({ code: 3, signal: null });
    const text = mistaken.lines.join('\n');
    expect(mistaken.lines[0]).to.match(/^sidecar: config_invalid: /);
    for (const key of ['trustDomain', 'tokenFil', 'admin.listen', 'outbound.0.to', 'outbound.0.peers'])
      expect(text).to.match(new RegExp(`mistaken\\.yaml:\\d+.*\`${key.replaceAll('.', '\\.')}\``));
  });

  it('says that its token has expired, and goes on by itself when the file is replaced', async () => {
    const tokens = join(mesh.plan.directory, 'tokens');
    const [tokenFile, fresh] = [join(mesh.plan.directory, 'token'), join(mesh.plan.directory, 'token.new')];
    await copyFile(join(tokens, 'late', 'token'), tokenFile);
    sidecar = await launch('late', { ...plan.settings, tokenFile });
    const { fields } = await sidecar.event('the failure', ({ event }) => event === 'renewal_failed');
    expect(fields).to.include({ code: 'local_token_expired' });
    const { status, text } = await page(plan.ports.health, '/readyz');
    expect([status, text.includes('local_token_expired')]).to.deep.equal([503, true]);
    const gauge = (): Promise<number> => metricAt(plan.ports.metrics, 'sidecar_token_expiry_timestamp_seconds');
    expect(await gauge()).to.be.within(1, Date.now() / 1000);
    expect(await metricAt(plan.ports.metrics, 'sidecar_renewals_total{result="local_token_expired"}')).to.be.above(0);
    await copyFile(plan.tokenFile, fresh);
    await rename(fresh, tokenFile);
    await sidecar.event('ready', ({ event }) => event === 'ready');
    expect((await page(plan.ports.health, '/readyz')).status).to.equal(200);
    expect(await gauge()).to.be.above(Date.now() / 1000);
  });

  it('has written no key, certificate or token in all of this, though it logs everything', async () => {
    const running = (await start()).sidecar;
    await using client = await asking();
    gated.pop()!.end('served');
    await client.until('served');
    expect(await running.stop()).to.include({ code: 0 });
    const text = all.flatMap(({ lines }) => lines).join('\n');
    expect(text).to.include('"event":"request_served"').and.not.to.match(SECRET);
    const token = await readFile(plan.tokenFile, 'utf8');
    for (const part of token.trim().split('.')) expect(text).not.to.include(part.slice(0, 40));
  });
});

/** @returns how connecting there fails */
function refusedAt(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.on('connect', () => {
      socket.destroy();
      resolve('connected');
    });
  });
}
