/**
 * Promise: no connection outlives the identity that opened it. A keep-alive connection is told of its end before it
 * comes, what is in progress then may finish within the grace and is cut after it, over HTTP and TCP alike; connections
 * between sidecars are exchanged before that without a failed request.
 * Real parts: dev issuer, citadel and sidecars as processes; raw TLS peers with SVIDs of 5 s; the test is the app.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import { type App, httpApp, type RawApp, rawApp } from '../support/app-server.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { type MeshSvid, metricAt, obtainSvid, peerOf } from '../support/one-sidecar.ts';
import type { RawClient } from '../support/raw-client.ts';
import { SteadyLoad } from '../support/steady-load.ts';
import { until } from '../support/until.ts';

const SECONDS = 5;
const GRACE = 2;
/** For timers, the looks of a relay and a busy machine: milliseconds. */
const SLACK = 1_500;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('connections whose certificate ends', () => {
  let app: App<unknown>;
  let raw: RawApp;
  let mesh: TestMesh;
  /** Answers that the app has begun and not ended. */
  const begun: ServerResponse[] = [];

  before(async () => {
    app = await httpApp(answer);
    raw = await rawApp();
    const settings = { limits: { expiryGraceSeconds: GRACE } };
    mesh = await plannedMesh({
      services: [
        { name: 'orders', appPort: app.port, settings },
        { name: 'ledger', appPort: raw.port, protocol: 'tcp', settings },
        { name: 'web', appPort: app.port, next: 'orders', settings: { certificateSeconds: SECONDS } },
      ],
    });
    await mesh.start();
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
    await raw?.[Symbol.asyncDispose]();
  });

  function answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.url !== '/slow') return void response.end('served');
    response.write('begun ');
    begun.push(response);
  }

  async function shortPeer(
    service: string,
  ): Promise<AsyncDisposable & { client: RawClient; svid: MeshSvid; ended: Promise<number> }> {
    const svid = await obtainSvid(mesh, 'web', SECONDS);
    const client = await peerOf(mesh.service(service).plan.ports.inbound, svid);
    const ended = new Promise<number>((resolve) => {
      const end = (): void => resolve(Date.now());
      client.socket.once('end', end).once('close', end);
    });
    return { client, svid, ended, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
  }

  /** Of orders or ledger, by reason. */
  const cut = (service: string): Promise<number> =>
    metricAt(mesh.service(service).plan.ports.metrics, 'sidecar_connections_cut_total{reason="expiry"}');
  const expired = ({ notAfter }: MeshSvid): Promise<unknown> =>
    until('the certificate has expired', () => Date.now() >= notAfter, 10_000);

  it('ends an idle one when the certificate does, in order', async () => {
    await using peer = await shortPeer('orders');
    await peer.client.send(GET).until('served');
    const endedAt = await peer.ended;
    expect(endedAt - peer.svid.notAfter).to.be.within(-100, SLACK);
    expect([peer.client.ended, peer.client.error]).to.deep.equal([true, undefined]);
  });

  it('tells a busy one before, with Connection: close, and ends after that answer', async () => {
    await using peer = await shortPeer('orders');
    const { client } = peer;
    let answers = 0;
    await until('an answer says that it is the last one', async () => {
      client.send(GET);
      answers++;
      await until('it is answered', () => client.text.split('served').length > answers);
      return /\r\nconnection: close\r\n/i.test(client.text);
    });
    const toldAt = Date.now();
    expect(answers).to.be.above(20);
    expect(peer.svid.notAfter - toldAt).to.be.within(0, SECONDS * 100 + 200);
    expect((await peer.ended) - toldAt).to.be.below(SLACK);
    expect([client.ended, client.error]).to.deep.equal([true, undefined]);
    expect(client.text.match(/\r\nconnection: close\r\n/gi)).to.have.length(1);
  });

  it('lets an answer in progress finish within the grace', async () => {
    await using peer = await shortPeer('orders');
    await peer.client.send(GET.replace('/', '/slow')).until('begun');
    await expired(peer.svid);
    const before = await cut('orders');
    begun.pop()!.end('and finished');
    await peer.client.until('and finished');
    await peer.client.until('\r\n0\r\n\r\n');
    expect(await peer.ended).to.be.below(peer.svid.notAfter + GRACE * 1000);
    expect(peer.client.ended).to.equal(true);
    expect(await cut('orders')).to.equal(before);
  });

  it('starts nothing new on it after the end, while that answer is in progress', async () => {
    await using peer = await shortPeer('orders');
    await peer.client.send(GET.replace('/', '/slow')).until('begun');
    await expired(peer.svid);
    peer.client.send(GET);
    begun.pop()!.end('and finished');
    await peer.ended;
    expect(peer.client.text).not.to.include('served');
  });

  it('cuts an answer that outlasts the grace, and it does not look complete', async () => {
    await using peer = await shortPeer('orders');
    const before = await cut('orders');
    const told = mesh.service('orders').sidecar.next('the cut', ({ event }) => event === 'connection_cut', 15_000);
    await peer.client.send(GET.replace('/', '/slow')).until('begun');
    const endedAt = await peer.ended;
    expect(endedAt - peer.svid.notAfter).to.be.within(GRACE * 1000 - 100, GRACE * 1000 + SLACK);
    expect(peer.client.text).not.to.match(/\r\n0\r\n\r\n$/);
    expect((await told).fields).to.include({ reason: 'expiry', peer: peer.svid.spiffeId });
    expect(await cut('orders')).to.equal(before + 1);
    begun.pop()!.destroy();
  });

  it('ends a quiet TCP connection when the certificate does, in order', async () => {
    const at = raw.count;
    await using peer = await shortPeer('ledger');
    await peer.client.send('hello');
    const server = await raw.connection(at);
    await server.until('hello');
    const endedAt = await peer.ended;
    expect(endedAt - peer.svid.notAfter).to.be.within(-100, GRACE * 1000 + SLACK);
    expect([peer.client.ended, peer.client.error]).to.deep.equal([true, undefined]);
    await server.closed();
    expect(server.error).to.equal(undefined);
  });

  it('cuts a TCP connection that never falls quiet when the grace is over', async () => {
    const at = raw.count;
    await using peer = await shortPeer('ledger');
    const before = await cut('ledger');
    const server = await raw.connection(at);
    const traffic = setInterval(() => {
      if (!server.socket.destroyed) server.send('tick');
    }, 20);
    const endedAt = await peer.ended.finally(() => clearInterval(traffic));
    expect(endedAt - peer.svid.notAfter).to.be.within(GRACE * 1000 - 100, GRACE * 1000 + SLACK);
    expect(await cut('ledger')).to.equal(before + 1);
    await server.closed();
    expect((server.error as NodeJS.ErrnoException | undefined)?.code).to.equal('ECONNRESET');
  });

  it('exchanges the connections between two sidecars without a failed request', async () => {
    const { plan, sidecar } = mesh.service('web');
    const retired = (): Promise<number> =>
      metricAt(plan.ports.metrics, 'sidecar_connections_retired_total{reason="rotation"}');
    const before = await retired();
    const load = new SteadyLoad({ port: plan.outbound['orders']!, connections: 4, perSecond: 100 });
    for (let rotations = 0; rotations < 4; rotations++)
      await sidecar.next('web rotates', ({ event }) => event === 'identity_published', 15_000);
    const { failures, sent, answered, lost } = await load.stop();
    expect(failures).to.deep.equal([]);
    expect([answered, lost]).to.deep.equal([sent, 0]);
    expect((await retired()) - before).to.be.at.least(3);
  });
});
