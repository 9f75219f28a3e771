/**
 * Promise: a destination with several endpoints is used as one. Load spreads over them; one that dies without a word
 * costs no request after it was noticed, is left alone and counted, and is used again when it is back.
 * Real parts: dev issuer, citadel, the caller's sidecar and three more before three apps, as processes.
 */
import { once } from 'node:events';
import { Agent, createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { httpCall } from '../support/http-call.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { seriesAt, sumOf } from '../support/series.ts';
import { until } from '../support/until.ts';

/** Each has an address of its own on loopback, as pods have: the port of tunnels is the same everywhere. */
const PLACES = [
  ['orders-a', '127.0.0.1'],
  ['orders-b', '127.0.0.2'],
  ['orders-c', '127.0.0.3'],
] as const;
const IDS = PLACES.map(([name]) => `spiffe://cluster.local/ns/shop/sa/${name}`);
const AT_ONCE = 6;
const RULES = { failures: 3, ejectionSeconds: 1, longestEjectionSeconds: 1 };

describe('a destination with three endpoints', () => {
  let apps: Server[] = [];
  let mesh: TestMesh;
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });

  before(async function () {
    this.timeout(60_000);
    apps = await Promise.all(
      PLACES.map(async ([name, host]) => {
        const app = createServer((_request, response) => response.end(name));
        await once(app.listen(0, host), 'listening');
        return app;
      }),
    );
    const to = PLACES.map(([, host], at) => `${host}:${(apps[at]!.address() as AddressInfo).port}`);
    const [tunnelPort] = (await freePorts(1)) as [number];
    const orders = PLACES.map(([name, host], at) => ({
      name,
      appPort: 9,
      settings: {
        inbound: [{ name: 'app', app: to[at]!, protocol: 'http' }],
        tunnel: { listen: `${host}:${tunnelPort}` },
      },
    }));
    const out = { to, peers: IDS, transport: 'tunnel', tunnelPort } as const;
    const settings = { balance: RULES };
    mesh = await startMesh({
      services: [...orders, { name: 'web', appPort: 9, settings, outbound: [{ name: 'orders', ...out }] }],
    });
  });
  after(async () => {
    agent.destroy();
    await mesh?.[Symbol.asyncDispose]();
    for (const app of apps) {
      app.close();
      app.closeAllConnections();
    }
  });

  /** Who answered, or the status of the refusal. */
  async function ask(): Promise<string> {
    const port = mesh.service('web').plan.outbound['orders']!;
    const { status, text } = await httpCall({ port, path: '/', agent });
    return status === 200 ? text : String(status);
  }

  async function load(count: number): Promise<Map<string, number>> {
    const answers = new Map<string, number>();
    let left = count;
    const one = async (): Promise<void> => {
      while (left-- > 0) {
        const answer = await ask();
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    return answers;
  }

  const ejected = async (): Promise<number> =>
    sumOf(await seriesAt(mesh.service('web').plan.ports.metrics), 'sidecar_endpoints_ejected_total', {
      listener: 'orders',
    });

  it('spreads load over all of them', async () => {
    const answers = await load(300);
    expect([...answers.keys()].toSorted()).to.deep.equal(PLACES.map(([name]) => name));
    for (const count of answers.values()) expect(count).to.be.above(40);
    expect(await ejected()).to.equal(0);
  });

  it('loses nothing after one has died and that was noticed, and leaves it alone', async () => {
    const dead = mesh.service('orders-b');
    await load(30);
    await dead.sidecar.kill();
    let failures = 0;
    await until('it is ejected', async () => {
      const answers = await load(2 * AT_ONCE);
      for (const [answer, count] of answers) if (!answer.startsWith('orders')) failures += count;
      return (await ejected()) > 0;
    });
    // Only what was on its way there when it died.
    expect(failures).to.be.at.most(AT_ONCE);
    const after = await load(200);
    expect([...after.keys()].toSorted()).to.deep.equal(['orders-a', 'orders-c']);
  });

  it('uses it again when it is back', async () => {
    await mesh.startService('orders-b');
    const seen = new Map<string, number>();
    await until('it answers', async () => {
      for (const [answer, count] of await load(2 * AT_ONCE)) seen.set(answer, (seen.get(answer) ?? 0) + count);
      return seen.has('orders-b');
    });
    expect([...seen.keys()].toSorted()).to.deep.equal(PLACES.map(([name]) => name));
  });
});
