/**
 * Promise: over a far and lossy network what tunnels carry arrives intact and little is held on the way; a network that
 * swallows everything is noticed by PING, told by name, harms no other destination, and is over when it is mended.
 * Real parts: dev issuer, citadel, three sidecars and two apps as processes in two network namespaces.
 */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { LabMesh } from '../support/lab-mesh.ts';
import { CUT, FAR_AND_LOSSY, NetworkLab, PERFECT, type Place, whyNoNetworkLab } from '../support/network-lab.ts';
import { until } from '../support/until.ts';

const KIB = 1024;
const MIB = KIB * KIB;
const MOST_BYTES = 200 * MIB;
const APP_PORT = 9000;
const TUNNEL_PORT = 9100;

/** `/bytes/N` is N bytes that are known, `/digest` tells what was sent, `/begun` begins and does not go on. */
const APP = `
  const { createHash } = require('node:crypto');
  const known = (size) => Buffer.from(Array.from({ length: size }, (_, at) => (at * 7 + (at >> 8)) & 255));
  require('node:http').createServer((ask, say) => {
    if (ask.url.startsWith('/bytes/')) return say.end(known(+ask.url.slice(7)));
    if (ask.url === '/begun') return say.write('begun\\n');
    const digest = createHash('sha256');
    ask.on('data', (part) => digest.update(part)).on('end', () => say.end(digest.digest('hex')));
  }).listen(${APP_PORT}, '127.0.0.1')`;
const known = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, at) => (at * 7 + (at >> 8)) & 255));
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('tunnels over a bad network', () => {
  const why = whyNoNetworkLab();
  if (why) {
    it(`cannot be shown here: ${why}`, () => expect(why).not.to.equal(''));
    return;
  }
  let lab: NetworkLab;
  let mesh: LabMesh;

  before(async function () {
    this.timeout(60_000);
    lab = await NetworkLab.open(PERFECT);
    for (const place of [lab.near, lab.far]) place.start('app', [process.execPath, '-e', APP]);
    const local = {
      name: 'local',
      to: `127.0.0.1:${APP_PORT}`,
      peers: ['spiffe://cluster.local/ns/shop/sa/local'],
      transport: 'tunnel',
      tunnelPort: TUNNEL_PORT,
    } as const;
    mesh = await LabMesh.start(lab, {
      near: [
        { name: 'local', appPort: APP_PORT, settings: { tunnel: { listen: `127.0.0.1:${TUNNEL_PORT}` } } },
        { name: 'web', next: 'orders', appPort: APP_PORT, outbound: [local] },
      ],
      far: [{ name: 'orders', appPort: APP_PORT }],
    });
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  const curl = (place: Place, ...args: string[]) =>
    place.tool('curl', ['-sS', '--max-time', '100', ...args], { withinMs: 110_000 });
  const url = (path: string, to = 'orders'): string => mesh.url('web', to) + path;
  const portsOf = (name: string) => mesh.plan.services.find((one) => one.name === name)!.ports;

  async function metric(name: string, series: string): Promise<number> {
    const { stdout } = await curl(mesh.placeOf(name), `http://127.0.0.1:${portsOf(name).metrics}/metrics`);
    const line = stdout.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  async function digestFrom(size: number, ...args: string[]): Promise<string> {
    const { stdout } = await lab.near.tool(
      'sh',
      ['-c', 'curl -sS --max-time 100 "$@" | sha256sum', 'sh', ...args, url(`bytes/${size}`)],
      { withinMs: 110_000 },
    );
    return stdout.slice(0, 64);
  }

  it('carries every byte both ways, beside a stream that is hardly read, and holds little', async () => {
    await lab.set(FAR_AND_LOSSY);
    const size = MIB;
    const bytes = known(size);
    const slow = lab.near.start('slow reader', [
      'curl',
      '-sS',
      '--limit-rate',
      '1k',
      '-o',
      '/dev/null',
      url(`bytes/${8 * MIB}`),
    ]);
    const down = Array.from({ length: 8 }, () => digestFrom(size));
    const up = Array.from({ length: 4 }, async () => {
      const options = { withinMs: 110_000, input: bytes };
      const args = ['-sS', '--max-time', '100', '--data-binary', '@-', url('digest')];
      return (await lab.near.tool('curl', args, options)).stdout;
    });
    const small = Array.from({ length: 20 }, () => digestFrom(100));
    expect(new Set(await Promise.all([...down, ...up]))).to.deep.equal(new Set([digestOf(bytes)]));
    expect(new Set(await Promise.all(small))).to.deep.equal(new Set([digestOf(known(100))]));
    expect(slow.running).to.equal(true);
    for (const name of ['web', 'orders'])
      expect(await metric(name, 'process_resident_memory_bytes'), name).to.be.below(MOST_BYTES);
    await slow.stop();
    expect((await lab.counts()).lost).to.be.above(10);
  });

  it('tells callers when the network swallows everything, serves other destinations, and goes on when it is mended', async () => {
    await lab.set(PERFECT);
    const begun = lab.near.start('caller', ['curl', '-sS', '-N', '--max-time', '100', url('begun')]);
    await until('the answer has begun', () => begun.lines.includes('begun'));
    const silent = 'sidecar_refusals_total{code="tunnel_silent"}';
    const before = await metric('web', silent);
    await lab.set(CUT);
    let isTold = false;
    const told = until('the tunnel is given up', async () => (await metric('web', silent)) > before, 60_000).then(
      () => {
        isTold = true;
      },
    );
    do
      expect((await curl(lab.near, '-w', '%{http_code}', '-o', '/dev/null', url('bytes/9', 'local'))).stdout).to.equal(
        '200',
      );
    while (!isTold);
    await told;
    const { code } = await begun.exited;
    expect(code, 'curl: a part of the answer is missing').to.be.oneOf([18, 56]);
    const { stdout } = await curl(lab.near, '-w', '%{http_code}', '-o', '/dev/null', url('bytes/9'));
    expect(stdout).to.match(/^50[234]$/);
    await lab.set(PERFECT);
    expect(await digestFrom(1_000)).to.equal(digestOf(known(1_000)));
  });
});
