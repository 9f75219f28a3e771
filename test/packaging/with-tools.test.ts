import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { tool } from '../support/tool.ts';
import { ROOT } from './rendered.ts';

const SCRIPT = path.join(ROOT, 'scripts/with-tools.sh');

/** A machine whose only programs are those named, and whose user is nobody. */
class Machine {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'sallyport-'));

  constructor(programs: Readonly<Record<string, string>>) {
    mkdirSync(path.join(this.folder, 'scripts'));
    mkdirSync(path.join(this.folder, 'bin'));
    // The real one looks into sbin as well, which here would be that of this machine.
    cpSync(SCRIPT, path.join(this.folder, 'scripts/with-tools.sh'));
    for (const name of ['bash', 'dirname', 'cat']) symlinkSync(`/bin/${name}`, path.join(this.folder, 'bin', name));
    for (const [name, body] of Object.entries({ id: 'echo 1000', ...programs })) {
      const file = path.join(this.folder, 'bin', name);
      writeFileSync(file, `#!/bin/bash\n${body}\n`);
      chmodSync(file, 0o755);
    }
  }

  run(profile: string) {
    return tool(path.join(this.folder, 'bin/bash'), [path.join(this.folder, 'scripts/with-tools.sh'), profile], {
      environment: { PATH: path.join(this.folder, 'bin') },
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

describe('with-tools.sh', () => {
  const node = 'echo v26.10.0';
  // The script's own list: what is tested is what it does about one that is missing.
  const [, wanted = ''] = /^TEST=\((.*)\)$/m.exec(readFileSync(SCRIPT, 'utf8'))!;
  const tools = Object.fromEntries(wanted.split(' ').map((pair) => [pair.split('=')[0]!, '']));

  it('says nothing when all is there', async () => {
    using machine = new Machine({ node, ...tools });
    expect(await machine.run('test')).to.deep.equal({ code: 0, stdout: '', stderr: '' });
  });

  it('tells a plain user the one command that brings what is missing', async () => {
    const { promtool: _gone, ...rest } = tools;
    using machine = new Machine({ node, ...rest, 'apt-get': 'echo called' });
    const { code, stdout, stderr } = await machine.run('test');
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.match(/^with-tools: please run: sudo apt-get update && sudo apt-get install .* prometheus\n$/);
  });

  it('names the packages where there is no apt-get', async () => {
    const { promtool: _gone, curl: _also, ...rest } = tools;
    using machine = new Machine({ node, ...rest });
    expect((await machine.run('test')).stderr).to.match(/Debian packages: curl prometheus\n$/);
  });

  it('says at once when Node is too old, and what to do', async () => {
    using machine = new Machine({ node: 'echo v20.20.2', ...tools });
    const { code, stderr } = await machine.run('test');
    expect(code).to.equal(1);
    expect(stderr).to.match(/needs Node 26\.9 or later, found v20\.20\.2\. Run `npm ci`/);
  });

  it('knows the library that Node needs and a minimal Debian lacks', async () => {
    using machine = new Machine({ node: 'echo "node: error: libatomic.so.1: cannot open" >&2; exit 127', ...tools });
    expect((await machine.run('test')).stderr).to.match(/ libatomic1\n$/);
  });

  it('wants rivals and load generators for the slow tests and the benchmarks only', async () => {
    using machine = new Machine({ node, ...tools });
    expect((await machine.run('test')).code).to.equal(0);
    for (const profile of ['slow', 'bench'])
      expect((await machine.run(profile)).stderr, profile).to.match(/Debian packages:.* wrk nghttp2-client/);
  });

  it('refuses a profile that it does not know', async () => {
    using machine = new Machine({ node, ...tools });
    expect(await machine.run('everything')).to.include({
      code: 2,
      stderr: 'usage: scripts/with-tools.sh test|slow|bench\n',
    });
  });
});
