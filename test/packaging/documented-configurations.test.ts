/** What the documents tell people to put into files is what the programs accept, and fits together. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { settingsKeys } from '../../shared/config/settings.ts';
import { REFUSALS } from '../../shared/errors/refusal.ts';
import { SIDECAR_SETTINGS } from '../../sidecar/config.ts';
import { gatesOf, portOf, readCitadelSettings, readIssuerSettings, readSidecarSettings } from './program-line.ts';
import { type Deployment, ROOT, render } from './rendered.ts';

const documentOf = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** The YAML block that follows a text. */
function yamlAfter(text: string, words: string): string {
  const block = /```yaml\n(.*?)```/s.exec(text.slice(text.indexOf(words)));
  if (!text.includes(words) || !block) throw new Error(`no YAML after "${words}"`);
  return block[1]!;
}

describe('the laptop example in the README', () => {
  const readme = documentOf('README.md');
  const issuer = readIssuerSettings(yamlAfter(readme, '`issuer.yaml`'));
  const citadel = readCitadelSettings(yamlAfter(readme, '`citadel.yaml`'));
  const web = readSidecarSettings(yamlAfter(readme, '`web.yaml`'));
  const orders = readSidecarSettings(yamlAfter(readme, '`orders.yaml`'));

  it('lets citadel believe its issuer, and sidecars reach citadel and their tokens', () => {
    expect(citadel.attestation.oidc.issuer).to.equal(issuer.issuer);
    for (const sidecar of [web, orders]) {
      expect(sidecar.trustDomain).to.equal(citadel.trustDomain);
      expect(sidecar.citadel.url).to.equal(`https://${citadel.api.listen}`);
      expect(sidecar.citadel.caFile).to.equal(`${citadel.authority.directory}/root-cert.pem`);
    }
    const tokens = issuer.workloads.map(({ namespace, serviceAccount }) =>
      [issuer.directory, namespace, serviceAccount, 'token'].join('/'),
    );
    expect(tokens).to.deep.equal([web.tokenFile, orders.tokenFile]);
  });

  it('leads web to orders, whose name it expects, and lets nobody share a port', () => {
    const [gate] = orders.inbound;
    const [way] = web.outbound;
    expect(way).to.include({ transport: 'tunnel', to: gate?.app, tunnelPort: portOf(orders.tunnel.listen) });
    expect(way?.peers).to.deep.equal([`spiffe://${citadel.trustDomain}/ns/shop/sa/orders`]);
    const listening = [web, orders].flatMap((settings) => {
      const { admin, metrics, health, tunnel, outbound } = settings;
      const own = [admin, metrics, health, tunnel, ...outbound].map(({ listen }) => listen);
      return [...new Set([...own, ...gatesOf(settings)])].map(portOf);
    });
    for (const { tunnel } of [web, orders]) expect(tunnel.listen).to.match(/^127\.0\.0\.1:/);
    const all = [...listening, ...[issuer.listen, citadel.api.listen, citadel.health.listen].map(portOf)];
    expect(all).to.have.length(new Set(all).size);
  });

  it('calls what is there', () => {
    for (const { admin, health } of [web]) {
      expect(readme).to.include(`curl -s http://${admin.listen}/identity`);
      expect(readme).to.include(`curl -s http://${health.listen}/readyz`);
    }
    expect(readme).to.include(`calls orders at \`http://${web.outbound[0]?.listen}\``);
    expect(documentOf('docs/other-peers.md')).to.include(`https://${orders.inbound[0]?.listen}/`);
  });
});

describe('the page on the data plane', () => {
  const page = documentOf('docs/data-plane.md');

  it('shows ways out that a sidecar takes', () => {
    const { outbound } = readSidecarSettings(yamlAfter(page, '## Transports'));
    expect(outbound.map(({ transport }) => transport)).to.deep.equal(['tunnel', 'mtls']);
  });

  it('shows a list of callers that a sidecar takes, and explains each entry', () => {
    const words = '## Who may call';
    const { allow = [] } = readSidecarSettings(yamlAfter(page, words)).inbound[0]!;
    expect(allow).to.have.length(2);
    for (const entry of allow) expect(page.slice(page.indexOf(words))).to.include(`| \`${entry}\` |`);
  });

  it('names only settings that there are', () => {
    const known = settingsKeys(SIDECAR_SETTINGS).map(({ path: key }) => key.join('.'));
    const named = Array.from(
      page.matchAll(/`((?:limits|balance|tunnel|log|admin|metrics|health)\.\w+)`/g),
      ([, key]) => key!,
    );
    expect(named).not.to.be.empty;
    expect(named.filter((key) => !known.includes(key))).to.deep.equal([]);
  });

  it('names only codes that there are', () => {
    const [, table = ''] = page.split('| the code |');
    const codes = Array.from(
      table.split('\n**')[0]!.matchAll(/`((?:identity|upstream|peer|tunnel|app|http|answer)_[a-z_]+)`/g),
    );
    expect(codes).not.to.be.empty;
    const EVENTS = ['peer_refused'];
    expect(
      codes.map(([, code]) => code!).filter((code) => !(code in REFUSALS) && !EVENTS.includes(code)),
    ).to.deep.equal([]);
  });
});

describe('the notes on Kubernetes', () => {
  const notes = documentOf('manifests/README.md');

  it('show a configuration for tokens proved by the keys of the cluster, with files that are mounted', async () => {
    const { attestation } = readCitadelSettings(yamlAfter(notes, 'needs the keys of the issuer'));
    const pod = (await render('manifests/base')).one<Deployment>('Deployment', 'citadel').spec.template.spec;
    const mounted = pod.containers[0]!.volumeMounts!.map(({ mountPath }) => mountPath);
    expect(attestation.mode).to.equal('both');
    for (const file of [attestation.oidc.caFile!, attestation.oidc.tokenFile!])
      expect(mounted).to.include(path.posix.dirname(file));
  });

  it('make the ConfigMap that the samples mount, with the file that their sidecars read', async () => {
    const samples = (await render('manifests/samples')).all<Deployment>('Deployment');
    const names = samples.flatMap(({ spec }) => spec.template.spec.volumes!.map(({ configMap }) => configMap?.name));
    const file = path.posix.basename(
      readSidecarSettings(documentOf('manifests/samples/web/sidecar.yaml')).citadel.caFile,
    );
    for (const text of [notes, documentOf('README.md')])
      expect(text).to.match(new RegExp(`create configmap citadel-root-cert --from-file=${file}`));
    expect(names.filter((name) => name === 'citadel-root-cert')).to.have.length(samples.length);
  });
});
