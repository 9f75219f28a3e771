/** The commands of citadel as a user types them: what they print, where, and how they end. */

import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { EXIT } from '../../shared/process/exit-codes.ts';

const CITADEL = fileURLToPath(new URL('../../bin/citadel.js', import.meta.url));

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('the command line of citadel', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'citadel-cli-'));
  });
  after(() => rm(folder, { recursive: true }));

  const citadel = (args: readonly string[], environment: Record<string, string> = {}): Promise<Result> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [CITADEL, ...args],
        { env: { PATH: process.env['PATH'], ...environment }, timeout: 15_000 },
        (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });
  const config = async (name: string, text: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  const usable = (directory: string): string =>
    `{authority: {directory: ${join(folder, directory)}}, journal: {file: ${join(folder, 'j.sqlite')}}, api: {listen: "127.0.0.1:0"}, health: {listen: "127.0.0.1:0"}, attestation: {mode: oidc, oidc: {issuer: "http://127.0.0.1:9", unsafeDevIssuer: true}}}`;

  it('prints help on standard output, for the program and for each command', async () => {
    const { code, out, err } = await citadel(['--help']);
    expect([code, err]).to.deep.equal([0, '']);
    for (const command of ['serve', 'init', 'inspect', 'dev-issuer']) {
      expect(out).to.include(`  ${command}`);
      const help = await citadel([command, '--help']);
      expect(help.code).to.equal(0);
      expect(help.out).to.include(`citadel ${command}`).and.to.include('Exit codes:');
    }
  });

  it('prints its version', async () => {
    expect((await citadel(['--version'])).out).to.match(/^citadel \d+\.\d+\.\d+\n$/);
  });

  it('says on standard error what is wrong with a command line, and ends with 2', async () => {
    const CASES: readonly (readonly [readonly string[], string])[] = [
      [['serv'], 'did you mean `serve`?'],
      [['serve', '--confg', 'x'], 'did you mean `--config`?'],
      [['serve', 'extra'], 'unexpected `extra`'],
      [['inspect'], 'missing FILE'],
      [['serve', '--config'], 'argument missing'],
    ];
    for (const [args, hint] of CASES) {
      const { code, out, err } = await citadel(args);
      expect([code, out]).to.deep.equal([EXIT.usage.code, '']);
      expect(err).to.include('citadel: usage_invalid').and.to.include(hint);
    }
  });

  it('prints every problem of a configuration on a line of its own, and ends with 3', async () => {
    const file = await config('broken.yaml', 'trustDomain: A B\nunknown: 1\n');
    const { code, err } = await citadel(['serve', '--config', file], { CITADEL__LIMITS__WATCHERS: 'many' });
    expect(code).to.equal(EXIT.config.code);
    const lines = err.trim().split('\n');
    expect(lines[0]).to.include('config_invalid');
    expect(lines.slice(1)).to.have.length(3);
    expect(err)
      .to.include(`${file}:1:`)
      .and.to.include(`${file}:2:`)
      .and.to.include('environment CITADEL__LIMITS__WATCHERS');
  });

  it('refuses a variable with its prefix that is no setting, and none of Kubernetes’ own', async () => {
    const ours = await citadel(['serve', '--print-config'], { CITADEL__NO__SUCH: '1' });
    expect([ours.code, ours.err]).to.satisfy(
      ([code, err]: [number, string]) => code === EXIT.config.code && err.includes('CITADEL__NO__SUCH'),
    );
    expect(
      (await citadel(['serve', '--print-config'], { CITADEL_SERVICE_HOST: '10.0.0.1', CITADEL_PORT: 'tcp://10.0.0.1' }))
        .code,
    ).to.equal(0);
  });

  it('prints the configuration in effect so that it can be used as one', async () => {
    const first = await citadel(['serve', '--print-config'], { CITADEL__TRUST_DOMAIN: 'shop.example' });
    expect(first.out).to.include('trustDomain: shop.example');
    const second = await citadel(['serve', '--print-config', '--config', await config('printed.yaml', first.out)]);
    expect(second.out).to.equal(first.out);
  });

  it('creates the authority once, says what was made and what to do next', async () => {
    const file = await config('init.yaml', usable('made'));
    const first = await citadel(['init', '--config', file]);
    expect([first.code, first.err]).to.deep.equal([0, '']);
    expect(first.out)
      .to.match(/^Created the authority/)
      .and.to.include('root-cert.pem')
      .and.to.include('Next:');
    expect(await readdir(join(folder, 'made'))).to.include.members([
      'root-key.pem',
      'ca-key.pem',
      'ca-cert.pem',
      'root-cert.pem',
      'cert-chain.pem',
    ]);
    const second = await citadel(['init', '--config', file, '--json']);
    const made = JSON.parse(second.out) as { created: boolean; root: { serial: string } };
    expect(made.created).to.equal(false);
    expect(first.out).to.include(made.root.serial);
  });

  it('ends with 4 and one line when a key can be read by others, and changes nothing', async () => {
    const file = await config('open.yaml', usable('open'));
    await citadel(['init', '--config', file]);
    await chmod(join(folder, 'open', 'ca-key.pem'), 0o644);
    const { code, err } = await citadel(['serve', '--config', file]);
    expect(code).to.equal(EXIT.authority.code);
    expect(err).to.include('file_permissions_open').and.to.include('ca-key.pem').and.to.include('chmod 600');
  });

  it('ends with 4 when there is only a part of an authority', async () => {
    await mkdir(join(folder, 'part'), { mode: 0o700 });
    await writeFile(join(folder, 'part', 'ca-key.pem'), 'x', { mode: 0o600 });
    const { code, err } = await citadel(['serve', '--config', await config('part.yaml', usable('part'))]);
    expect([code, err.includes('authority_incomplete')]).to.deep.equal([EXIT.authority.code, true]);
  });

  it('ends with 5 when a port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const file = await config('port.yaml', usable('port'));
    const { code, err } = await citadel(['serve', '--config', file], { CITADEL__HEALTH__LISTEN: `127.0.0.1:${port}` });
    taken.close();
    expect(code).to.equal(EXIT.address.code);
    expect(err).to.include(`address_in_use`).and.to.include(`127.0.0.1:${port}`);
  });

  it('inspects a file, and ends with 7 when something is wrong with it', async () => {
    const file = await config('inspected.yaml', usable('inspected'));
    await citadel(['init', '--config', file]);
    const good = await citadel(['inspect', join(folder, 'inspected', 'root-cert.pem')]);
    expect([good.code, good.err]).to.deep.equal([0, '']);
    expect(good.out).to.include('certificate of an authority').and.to.include('nothing wrong');
    const bad = await citadel(['inspect', file, '--json']);
    expect(bad.code).to.equal(EXIT.findings.code);
    expect(JSON.parse(bad.out)).to.have.nested.property('findings[0].problems[0]');
    const none = await citadel(['inspect', join(folder, 'nowhere')]);
    expect([none.code, none.err.includes('file_unreadable')]).to.deep.equal([EXIT.failed.code, true]);
    const endless = await citadel(['inspect', '/dev/zero']);
    expect([endless.code, endless.err.includes('/dev/zero is larger than')]).to.deep.equal([EXIT.failed.code, true]);
  });
});
