import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { type ComposeService, fileIn, mountsOf, readCompose } from './compose-file.ts';
import { readDockerfile } from './dockerfile.ts';
import {
  portOf,
  readCitadelSettings,
  readIssuerSettings,
  readProgramLine,
  readSidecarSettings,
} from './program-line.ts';
import { ROOT } from './rendered.ts';

describe('docker-compose.yml', () => {
  const { services, volumes } = readCompose();
  const image = readDockerfile();
  const service = (name: string): ComposeService => services[name]!;
  const wordsOf = ({ entrypoint = image.entrypoint, command = image.command }: ComposeService) => [
    ...entrypoint,
    ...command,
  ];
  const settingsOf = <T>(name: string, read: (text: string) => T): T =>
    read(fileIn(service(name), readProgramLine(wordsOf(service(name))).configFile));

  const citadel = () => settingsOf('citadel', readCitadelSettings);
  const issuer = () => settingsOf('dev-issuer', readIssuerSettings);
  const sidecar = (name: string) => settingsOf(`${name}-sidecar`, readSidecarSettings);

  it('starts every program of ours with a command line that it accepts', () => {
    const lines = ['dev-issuer', 'citadel', 'web-sidecar', 'orders-sidecar'].map((name) =>
      readProgramLine(wordsOf(service(name))),
    );
    expect(lines.map(({ program, command }) => `${program} ${command}`)).to.deep.equal([
      'citadel dev-issuer',
      'citadel serve',
      'sidecar run',
      'sidecar run',
    ]);
  });

  it('starts the apps from a file that is in the image', () => {
    for (const name of ['web', 'orders'])
      expect(wordsOf(service(name))).to.deep.equal(['node', '/app/samples/app/server.js']);
    expect(image.copies.some(({ to }) => path.posix.join(image.workdir, to) === '/app/samples/app')).to.equal(true);
  });

  it('gives nothing a privilege or a writable image', () => {
    for (const [name, one] of Object.entries(services)) {
      expect(one, name).to.deep.include({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(one.privileged ?? one.user, name).to.equal(undefined);
    }
  });

  it('mounts files that exist and volumes that are declared', () => {
    for (const [name, one] of Object.entries(services)) {
      for (const { from, bind, readOnly } of mountsOf(one)) {
        if (bind) expect(existsSync(path.join(ROOT, from)) && readOnly, `${name}: ${from}`).to.equal(true);
        else expect(Object.keys(volumes), name).to.include(from);
      }
    }
  });

  it('gives the keys of the authority to citadel and to the one that copies the root out', () => {
    const holders = Object.entries(services).filter(([, one]) => mountsOf(one).some(({ from }) => from === 'citadel'));
    expect(
      holders.map(([name, one]) => [name, mountsOf(one).find(({ from }) => from === 'citadel')?.readOnly]),
    ).to.deep.equal([
      ['citadel', false],
      ['trust', true],
    ]);
    expect(service('trust').network_mode).to.equal('none');
    const code = service('trust').command![0]!;
    expect(code)
      .to.include(`${citadel().authority.directory}/root-cert.pem`)
      .and.include(sidecar('web').citadel.caFile);
  });

  it('mounts volumes where the image has a folder of the right owner', () => {
    for (const name of ['dev-issuer', 'citadel', 'trust', 'web-sidecar', 'orders-sidecar']) {
      for (const { bind, to } of mountsOf(service(name))) if (!bind) expect(image.ownFolders, name).to.include(to);
    }
    expect(issuer().directory).to.equal(mountsOf(service('dev-issuer')).find(({ bind }) => !bind)?.to);
    for (const file of [citadel().authority.directory, citadel().journal.file])
      expect(file.startsWith(`${mountsOf(service('citadel')).find(({ bind }) => !bind)?.to}/`), file).to.equal(true);
  });

  it('has one issuer that citadel believes by name', () => {
    const { attestation } = citadel();
    expect(attestation.mode).to.equal('oidc');
    expect(attestation.oidc.issuer).to.equal(issuer().issuer);
    expect(attestation.audience).to.equal(issuer().audience);
    for (const url of [attestation.oidc.issuer, attestation.oidc.jwksUrl].map((text) => new URL(text!)))
      expect([url.hostname, Number(url.port)]).to.deep.equal(['dev-issuer', portOf(issuer().listen)]);
  });

  for (const name of ['web', 'orders']) {
    it(`gives ${name} a sidecar that finds its token, citadel and its app`, () => {
      const settings = sidecar(name);
      expect(issuer().workloads).to.deep.include({ namespace: 'shop', serviceAccount: name, expired: false });
      expect(settings.tokenFile).to.equal(`${issuer().directory}/shop/${name}/token`);
      const url = new URL(settings.citadel.url);
      expect(citadel().api.names).to.include(url.hostname);
      expect([url.hostname, Number(url.port)]).to.deep.equal(['citadel', portOf(citadel().api.listen)]);
      expect(settings.trustDomain).to.equal(citadel().trustDomain);
      expect(service(name).network_mode).to.equal(`service:${name}-sidecar`);
      expect(settings.inbound.map(({ app }) => portOf(app))).to.deep.equal([
        Number(service(name).environment?.['PORT']),
      ]);
    });
  }

  it('lets web call orders, and expects orders there', () => {
    const [outbound] = sidecar('web').outbound;
    expect(service('web').environment?.['NEXT']).to.equal(`http://${outbound?.listen}`);
    const { inbound, tunnel } = sidecar('orders');
    expect(outbound).to.include({
      transport: 'tunnel',
      to: `orders-sidecar:${portOf(inbound[0]!.app)}`,
      tunnelPort: portOf(tunnel.listen),
    });
    expect(outbound?.peers).to.deep.equal([`spiffe://${citadel().trustDomain}/ns/shop/sa/orders`]);
  });

  it('asks for health where it is told', () => {
    const asked = (name: string) =>
      /fetch\('http:\/\/127\.0\.0\.1:(\d+)([^']*)'\)/.exec(service(name).healthcheck!.test.at(-1)!)!.slice(1, 3);
    expect(asked('dev-issuer')).to.deep.equal([
      String(portOf(issuer().listen)),
      new URL(citadel().attestation.oidc.jwksUrl!).pathname,
    ]);
    expect(asked('citadel')).to.deep.equal([String(portOf(citadel().health.listen)), '/readyz']);
    for (const name of ['web', 'orders'])
      expect(asked(`${name}-sidecar`)).to.deep.equal([String(portOf(sidecar(name).health.listen)), '/readyz']);
  });

  it('waits only for what exists and tells when it is ready', () => {
    for (const [name, { depends_on: waits = {} }] of Object.entries(services)) {
      for (const [other, { condition }] of Object.entries(waits)) {
        expect(services, name).to.have.property(other);
        if (condition === 'service_healthy')
          expect(service(other).healthcheck, `${name} waits for ${other}`).not.to.equal(undefined);
      }
    }
  });

  it('publishes on loopback only', () => {
    for (const port of Object.values(services).flatMap(({ ports }) => ports ?? []))
      expect(port).to.match(/^127\.0\.0\.1:/);
  });

  it('has Prometheus scrape citadel and every sidecar at its metrics port', () => {
    const config = parse(fileIn(service('prometheus'), '/etc/prometheus/prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const targets = config.scrape_configs.flatMap((job) => job.static_configs.flatMap((one) => one.targets));
    expect(targets).to.have.members([
      `citadel:${portOf(citadel().health.listen)}`,
      ...['web', 'orders'].map((name) => `${name}-sidecar:${portOf(sidecar(name).metrics.listen)}`),
    ]);
    for (const file of config.rule_files)
      expect(fileIn(service('prometheus'), `/etc/prometheus/${file}`)).not.to.equal('');
  });
});
