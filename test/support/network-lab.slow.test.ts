/**
 * The network lab itself: that it delays, loses, cuts and mends as it says, that real sidecars and a real citadel work
 * across it, and that nothing of it stays behind, whatever happens.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { LabMesh } from './lab-mesh.ts';
import { CUT, FAR_AND_LOSSY, NetworkLab, PERFECT, type Place, whyNoNetworkLab } from './network-lab.ts';
import { until } from './until.ts';

/** Answers with as many bytes as its path says. */
const BYTES = `require('node:http').createServer((ask, say) => say.end(Buffer.alloc(+ask.url.slice(1)))).listen(8080)`;
const LAB = fileURLToPath(new URL('./network-lab.ts', import.meta.url));

describe('the network lab', () => {
  const why = whyNoNetworkLab();
  if (why) {
    it(`says why there is none here: ${why}`, async () => {
      const refusal = await NetworkLab.open(PERFECT).catch((error: Error) => error.message);
      expect(refusal).to.equal(why);
    });
    return;
  }

  it('delays each way by what it was told, and not otherwise', async () => {
    await using lab = await labWithServer();
    expect((await fetched(lab.near, lab.far, 1000)).connectSeconds).to.be.below(0.1);
    await lab.set({ delayMs: 50, lossPercent: 0 });
    const far = await fetched(lab.near, lab.far, 1000);
    // One round trip to connect, one more for the answer; more only as far as a busy machine is late.
    expect(far.connectSeconds).to.be.within(0.1, 0.6);
    expect(far.seconds).to.be.within(0.2, 1.2);
  });

  it('loses packets for real: TCP sends them again and nothing is missing', async () => {
    await using lab = await labWithServer();
    await lab.set(FAR_AND_LOSSY);
    const { bytes } = await fetched(lab.near, lab.far, 3_000_000);
    const { lost, carried } = await lab.counts();
    expect(bytes).to.equal(3_000_000);
    expect(carried).to.be.above(2_000);
    expect(lost / (lost + carried)).to.be.within(0.003, 0.03);
    const { stdout } = await lab.far.tool('cat', ['/proc/net/snmp']);
    expect(retransmitted(stdout)).to.be.above(0);
  });

  it('is cut and mended while a connection is open', async () => {
    await using lab = await labWithServer();
    await lab.set(CUT);
    const { code } = await lab.near.tool('curl', ['-sS', '--max-time', '1', `http://${lab.far.address}:8080/1`]);
    expect(code, 'curl ran into its time limit').to.equal(28);
    await lab.set({ delayMs: 20, lossPercent: 0 });
    expect((await fetched(lab.near, lab.far, 100)).bytes).to.equal(100);
  });

  it('carries a real mesh: certificates and requests go over a far and lossy link', async () => {
    await using lab = await NetworkLab.open(FAR_AND_LOSSY);
    await using mesh = await LabMesh.start(lab, {
      near: [{ name: 'web', next: 'orders', appPort: 9 }],
      far: [{ name: 'orders' }],
    });
    for (let call = 0; call < 5; call++) {
      const { stdout, stderr } = await lab.near.tool('curl', ['-sS', '--max-time', '10', mesh.url('web', 'orders')]);
      expect(stdout, stderr).to.include('spiffe://cluster.local/ns/shop/sa/web');
    }
    expect(mesh.sidecars.get('orders')!.running).to.equal(true);
    expect((await lab.counts()).carried).to.be.above(20);
  });

  it('leaves nothing behind after a test that failed', async () => {
    let names: string[] = [];
    let pid = 0;
    const failed = (async () => {
      await using lab = await labWithServer();
      names = [lab.near.namespace, lab.far.namespace];
      pid = lab.far.start('sleeper', ['sleep', '1000']).pid;
      throw new Error('as a test that failed');
    })();
    expect(await failed.catch((error: Error) => error.message)).to.equal('as a test that failed');
    expect(namespaces()).not.to.include.members(names);
    expect(isRunning(pid)).to.equal(false);
  });

  it('two labs at a time do not meet', async () => {
    await using one = await labWithServer();
    await using other = await NetworkLab.open(PERFECT);
    expect(one.near.namespace).not.to.equal(other.near.namespace);
    const { code } = await other.near.tool('curl', ['-sS', '--max-time', '2', `http://${other.far.address}:8080/1`]);
    expect(code, 'refused: the server is in the first lab').to.equal(7);
    expect((await fetched(one.near, one.far, 10)).bytes).to.equal(10);
  });

  it('what a killed run has left is removed by the next lab', async () => {
    const script = `import { NetworkLab, PERFECT } from ${JSON.stringify(LAB)};
      const lab = await NetworkLab.open(PERFECT);
      console.log(lab.near.namespace);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    const [namespace] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    expect(namespaces()).to.include(namespace);
    child.kill('SIGKILL');
    await exit;
    expect(namespaces(), 'nobody could remove it').to.include(namespace);
    await using _next = await NetworkLab.open(PERFECT);
    expect(namespaces()).not.to.include(namespace);
  });
});

async function labWithServer(): Promise<NetworkLab> {
  const lab = await NetworkLab.open(PERFECT);
  try {
    lab.far.start('server', [process.execPath, '-e', BYTES]);
    await until(
      'the server listens',
      async () => (await lab.far.tool('curl', ['-s', 'http://127.0.0.1:8080/1'])).code === 0,
    );
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

async function fetched(
  from: Place,
  to: Place,
  size: number,
): Promise<{ connectSeconds: number; seconds: number; bytes: number }> {
  const format = '%{time_connect} %{time_total} %{size_download}';
  const url = `http://${to.address}:8080/${size}`;
  const { code, stdout, stderr } = await from.tool(
    'curl',
    ['-sS', '-o', '/dev/null', '-w', format, '--max-time', '30', url],
    {
      withinMs: 40_000,
    },
  );
  expect(code, stderr).to.equal(0);
  const [connectSeconds = Number.NaN, seconds = Number.NaN, bytes = Number.NaN] = stdout.split(' ').map(Number);
  return { connectSeconds, seconds, bytes };
}

/** Segments that this namespace's TCP has sent again. */
function retransmitted(snmp: string): number {
  const [names = [], values = []] = snmp
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('RetransSegs')]);
}

function namespaces(): string[] {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  return stdout.split('\n').map((line) => line.split(' ')[0]!);
}

function isRunning(pid: number): boolean {
  return spawnSync('kill', ['-0', String(pid)]).status === 0;
}
