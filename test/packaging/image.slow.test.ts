/**
 * Promise: the image that the Dockerfile describes starts, as a user without rights and from a tree that it cannot
 * write to, and does its work there: a token is traded for a certificate.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { asYaml, planMesh } from '../../scripts/local-mesh/mesh-plan.ts';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import type { Running } from '../../scripts/local-mesh/running.ts';
import { until } from '../support/until.ts';
import { ImageTree } from './image-tree.ts';
import { ROOT } from './rendered.ts';

describe('the image', () => {
  let image: ImageTree;
  before(async () => {
    image = await ImageTree.build();
  });
  after(() => image?.remove());

  const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

  for (const program of ['citadel', 'sidecar']) {
    it(`has ${program}, which tells its version and its help`, async () => {
      expect(await image.run([program, '--version'])).to.include({
        code: 0,
        stdout: `${program} ${version}\n`,
        stderr: '',
      });
      const { code, stdout } = await image.run([program, '--help']);
      expect(code).to.equal(0);
      expect(stdout).to.include(`Usage: ${program}`);
    });
  }

  it('prints the configuration that citadel would run with', async () => {
    const { code, stdout } = await image.run(['citadel', 'serve', '--print-config']);
    expect(code).to.equal(0);
    expect(stdout).to.include('trustDomain: cluster.local');
  });

  it('holds compiled code and production packages only', () => {
    const files = image.files();
    expect(files).to.include.members([
      'dist/citadel/main.js',
      'dist/sidecar/main.js',
      'dist/sidecar/worker-main.js',
      'samples/app/server.js',
      'LICENSE',
    ]);
    const ours = files.filter((file) => !file.startsWith('node_modules/'));
    expect(ours.filter((file) => /\.ts$|^test\/|\.test\./.test(file))).to.deep.equal([]);
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      readFileSync(path.join(ROOT, 'package.json'), 'utf8'),
    );
    const has = (name: string): boolean => files.includes(`node_modules/${name}/package.json`);
    expect(Object.keys(dependencies).filter((name) => !has(name))).to.deep.equal([]);
    expect(Object.keys({ ...devDependencies, ...optionalDependencies }).filter(has)).to.deep.equal(
      // What production packages need themselves.
      ['asn1js'].filter(has),
    );
  });

  it('issues a certificate to a sidecar, both from the image, and ends in order', async () => {
    const ports = await freePorts(16);
    const plan = planMesh({
      directory: image.volume('state'),
      trustDomain: 'image.test',
      namespace: 'shop',
      certificateSeconds: 60,
      services: [{ name: 'web', appPort: ports.pop()! }],
      ports: ports.values(),
    });
    const [web] = plan.services;
    const files = Object.entries({
      issuer: plan.issuer.settings,
      citadel: plan.citadel.settings,
      web: web!.settings,
    }).map(([name, settings]) => {
      const file = path.join(plan.directory, `${name}.yaml`);
      writeFileSync(file, asYaml(settings));
      return file;
    });
    await image.own(plan.directory);
    const ok = (url: string) => until(url, () => fetch(url).then((answer) => answer.ok || undefined), 15_000);

    const started: Running[] = [];
    const start = (...words: string[]): void => void started.push(image.start(words));
    try {
      start('citadel', 'dev-issuer', '--config', files[0]!);
      await ok(`${plan.issuer.url}/openid/v1/jwks`);
      start('citadel', 'serve', '--config', files[1]!);
      await ok(`http://127.0.0.1:${plan.citadel.healthPort}/readyz`);
      start('sidecar', 'run', '--config', files[2]!, '--workers', '2');
      await ok(`http://127.0.0.1:${web!.ports.health}/readyz`);
      const page = await fetch(`http://127.0.0.1:${plan.citadel.healthPort}/metrics`).then((answer) => answer.text());
      expect(page).to.match(/^citadel_certificates_issued_total 1$/m);
    } catch (error) {
      throw new Error(started.flatMap(({ lines }) => lines).join('\n'), { cause: error });
    } finally {
      await Promise.all(started.map((running) => running.stop()));
    }
    for (const running of started)
      expect(await running.exited, running.lines.join('\n')).to.deep.equal({ code: 0, signal: null });
  });
});
