import { expect } from 'chai';
import { configOf } from './container-config.ts';
import { probedPorts } from './pod-rules.ts';
import { gatesOf, portOf, readCitadelSettings, readProgramLine, readSidecarSettings } from './program-line.ts';
import { type Container, type Deployment, type PodSpec, type Rendered, render, type Service } from './rendered.ts';

describe('a sample service in the cluster', () => {
  let base: Rendered;
  let rendered: Rendered;

  before(async () => {
    [base, rendered] = await Promise.all([render('manifests/base'), render('manifests/samples')]);
  });

  const citadelSettings = () => {
    const pod = base.one<Deployment>('Deployment', 'citadel').spec.template.spec;
    return readCitadelSettings(configOf(base, pod, pod.containers[0]!));
  };

  const settingsOf = (name: string) => {
    const pod = rendered.one<Deployment>('Deployment', name).spec.template.spec;
    return readSidecarSettings(configOf(rendered, pod, pod.initContainers![0]!));
  };

  for (const name of ['web', 'orders']) {
    describe(name, () => {
      let pod: PodSpec;
      let sidecar: Container;
      let settings: ReturnType<typeof readSidecarSettings>;

      before(() => {
        pod = rendered.one<Deployment>('Deployment', name).spec.template.spec;
        sidecar = pod.initContainers!.find((container) => container.name === 'sidecar')!;
        settings = readSidecarSettings(configOf(rendered, pod, sidecar));
      });

      it('has a native sidecar that is ready before the app starts', () => {
        expect(sidecar.restartPolicy).to.equal('Always');
        expect(sidecar.startupProbe?.httpGet).to.deep.equal({ path: '/readyz', port: 'health' });
        expect(readProgramLine([...sidecar.command!, ...sidecar.args!])).to.include({
          program: 'sidecar',
          command: 'run',
        });
      });

      it('listens where its container and its probes say', () => {
        const health = portOf(settings.health.listen);
        expect([...probedPorts(pod)]).to.deep.equal([
          ['sidecar startupProbe /readyz', health],
          ['sidecar livenessProbe /healthz', health],
          ['sidecar readinessProbe /readyz', health],
        ]);
        expect(sidecar.ports?.map(({ containerPort }) => containerPort)).to.have.members([
          ...gatesOf(settings).map(portOf),
          portOf(settings.metrics.listen),
          health,
        ]);
      });

      it('has a token for citadel alone, where its sidecar reads it', () => {
        const volume = pod.volumes?.find(({ name }) => name === 'citadel-token');
        const { audience, expirationSeconds, path } = volume!.projected!.sources[0]!.serviceAccountToken!;
        expect(audience).to.equal(citadelSettings().attestation.audience);
        expect(expirationSeconds).to.be.within(600, citadelSettings().attestation.maxTokenLifetimeSeconds);
        const mount = sidecar.volumeMounts?.find((one) => one.name === 'citadel-token');
        expect(`${mount?.mountPath}/${path}`).to.equal(settings.tokenFile);
        expect(pod.containers.flatMap(({ volumeMounts }) => volumeMounts ?? [])).to.deep.equal([]);
      });

      it('asks the citadel of the base, in its trust domain', () => {
        const url = new URL(settings.citadel.url);
        expect(citadelSettings().api.names).to.include(url.hostname);
        expect(Number(url.port)).to.equal(portOf(citadelSettings().api.listen));
        expect(settings.trustDomain).to.equal(citadelSettings().trustDomain);
        const mount = sidecar.volumeMounts?.find((one) => one.name === 'citadel-root');
        expect(settings.citadel.caFile).to.equal(`${mount?.mountPath}/root-cert.pem`);
      });

      it('calls Services that are there and expects who runs behind them', () => {
        for (const { to, peers, transport, tunnelPort } of settings.outbound) {
          const [service, namespace] = String(to).split(/[.:]/);
          const { spec } = rendered.one<Service>('Service', service!);
          expect(transport).to.equal('tunnel');
          expect(spec.ports.map(({ port }) => port)).to.include(tunnelPort);
          const { inbound, tunnel } = settingsOf(service!);
          expect(portOf(tunnel.listen)).to.equal(tunnelPort);
          expect(inbound.map(({ app }) => portOf(app))).to.include(portOf(String(to)));
          const account = rendered.one<Deployment>('Deployment', service!).spec.template.spec.serviceAccountName;
          expect(peers).to.deep.equal([`spiffe://${settings.trustDomain}/ns/${namespace}/sa/${account}`]);
        }
      });

      it('has a Service that names every pod, with the ports that peers come to', () => {
        const { spec } = rendered.one<Service>('Service', name);
        expect(spec.clusterIP).to.equal('None');
        expect(spec.ports.map(({ port }) => port)).to.have.members(gatesOf(settings).map(portOf));
      });

      it('has an app that listens where its sidecar leads', () => {
        const { PORT } = Object.fromEntries(pod.containers[0]!.env!.map((one) => [one.name, one.value]));
        expect(settings.inbound.map(({ app }) => app)).to.deep.equal([`127.0.0.1:${PORT}`]);
      });

      it('has time to drain before it is killed', () => {
        expect(pod.terminationGracePeriodSeconds).to.be.greaterThan(settings.limits.drainSeconds);
      });
    });
  }
});
