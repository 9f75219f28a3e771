import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { Running } from '../../../scripts/local-mesh/running.ts';
import { systemClock } from '../../../shared/clock/clock.ts';
import { EXIT } from '../../../shared/process/exit-codes.ts';
import { FakeCitadel, tokenUntil } from '../../support/fake-citadel.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { connectAs } from '../../support/tls-peers.ts';
import { tool } from '../../support/tool.ts';

const PROGRAM = join(import.meta.dirname, '../../../bin/sidecar.js');
const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });

describe('the program `sidecar`', () => {
  let folder: string;
  let citadel: FakeCitadel;
  const running: Running[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
    await writeFile(join(folder, 'ca.pem'), ROOT.rootPem);
    await writeFile(join(folder, 'token'), tokenUntil(systemClock.now() + 3_600_000));
    citadel = await FakeCitadel.start({ authority: ROOT });
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
    await citadel[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function configured(change: object = {}): Promise<string> {
    const file = join(folder, 'sidecar.yaml');
    const any = { listen: '127.0.0.1:0' };
    const settings = {
      citadel: { url: citadel.url, caFile: join(folder, 'ca.pem') },
      tokenFile: join(folder, 'token'),
      inbound: [{ ...any, protocol: 'tcp', app: '127.0.0.1:9' }],
      admin: any,
      metrics: any,
      health: any,
      log: { format: 'json' },
      ...change,
    };
    await writeFile(file, stringify(settings));
    return file;
  }

  async function started(change: object = {}): Promise<Running> {
    const command = [process.execPath, PROGRAM, 'run', '--config', await configured(change)];
    const one = new Running({ name: 'sidecar', command });
    running.push(one);
    await one.event('ready', ({ event }) => event === 'ready');
    return one;
  }

  const sidecar = (...args: string[]) => tool(process.execPath, [PROGRAM, ...args]);

  it('ends in order on SIGTERM, with exit code 0', async () => {
    const one = await started();
    one.child.kill('SIGTERM');
    expect(await one.exited).to.deep.equal({ code: EXIT.ok.code, signal: null });
    expect(one.lines.at(-1)).to.include('"event":"stopped"');
  });

  it('has an exit code of its own for connections that had to be cut', async () => {
    const app = net.createServer();
    await once(app.listen(0, '127.0.0.1'), 'listening');
    const inbound = { listen: '127.0.0.1:0', protocol: 'tcp', app: `127.0.0.1:${(app.address() as AddressInfo).port}` };
    const one = await started({ inbound: [inbound], limits: { drainSeconds: 1 } });
    const { fields } = await one.event('started', ({ event }) => event === 'started');
    const { port } = (fields['inbound'] as Record<string, { port: number }>)['app']!;
    const client = connectAs(port, ROOT, ROOT.svid());
    client.write('a transfer that does not end');
    const [carried] = (await once(app, 'connection')) as [net.Socket];
    await once(
      carried.on('error', () => carried.destroy()),
      'data',
    );
    one.child.kill('SIGTERM');
    expect(await one.exited).to.deep.equal({ code: EXIT.drainCut.code, signal: null });
    expect(one.lines.join('\n')).to.include('"event":"drain_cut"');
    app.close();
  });

  it('fetches a new certificate and reads its log level again on SIGHUP', async () => {
    const one = await started();
    await configured({ log: { level: 'debug', format: 'json' } });
    one.child.kill('SIGHUP');
    await one.event('the level is read', ({ event, fields }) => event === 'reloaded' && fields['logLevel'] === 'debug');
    await one.event(
      'the second certificate',
      ({ event, fields }) => event === 'identity_published' && fields['generation'] === 2,
    );
  });

  it('goes on with what it has when the file is broken at SIGHUP', async () => {
    const one = await started();
    await writeFile(join(folder, 'sidecar.yaml'), 'nonsense: true\n');
    one.child.kill('SIGHUP');
    const { fields } = await one.event('the failure is told', ({ event }) => event === 'reload_failed');
    expect(fields).to.include({ code: 'config_invalid' });
    await one.event(
      'the second certificate',
      ({ event, fields: more }) => event === 'identity_published' && more['generation'] === 2,
    );
  });

  it('names every problem of its settings, with its line, and exit code 3', async () => {
    const { code, stderr } = await sidecar(
      'run',
      '--config',
      await configured({ admin: { listen: '0.0.0.0:15000' }, trustDomain: 'X' }),
    );
    expect(code).to.equal(EXIT.config.code);
    expect(stderr)
      .to.match(/sidecar\.yaml:\d+: `admin\.listen`.*loopback/)
      .and.match(/sidecar\.yaml:\d+: `trustDomain`/);
  });

  it('names the port that is taken, with exit code 5', async () => {
    const rival = net.createServer();
    await once(rival.listen(0, '127.0.0.1'), 'listening');
    const listen = `127.0.0.1:${(rival.address() as AddressInfo).port}`;
    const { code, stderr } = await sidecar('run', '--config', await configured({ health: { listen } }));
    rival.close();
    expect(code).to.equal(EXIT.address.code);
    expect(stderr).to.include(listen);
  });

  it('prints help, version and the settings in effect', async () => {
    expect((await sidecar('--help')).stdout).to.include('Usage: sidecar COMMAND');
    expect((await sidecar('run', '--help')).stdout)
      .to.include('--print-config')
      .and.include('Exit codes');
    expect((await sidecar('--version')).stdout).to.match(/^sidecar \d+\.\d+\.\d+/);
    const { code, stdout } = await sidecar('run', '--print-config', '--config', await configured());
    expect(code).to.equal(EXIT.ok.code);
    expect(stdout).to.include(`url: ${citadel.url}`).and.include('drainSeconds: 30');
    expect(citadel.requests).to.deep.equal([]);
  });

  it('does not know other words, with exit code 2', async () => {
    expect((await sidecar('rum')).code).to.equal(EXIT.usage.code);
    expect((await sidecar('run', '--confg', 'x')).stderr).to.include('--config');
  });
});
