import { expect } from 'chai';
import { configOf } from './container-config.ts';
import { probedPorts, securityProblems } from './pod-rules.ts';
import { portOf, readCitadelSettings, readProgramLine } from './program-line.ts';
import {
  type Container,
  type Deployment,
  type KubernetesObject,
  type PodSpec,
  type Rendered,
  render,
  type Service,
} from './rendered.ts';

describe('citadel in the cluster', () => {
  let rendered: Rendered;
  let pod: PodSpec;
  let container: Container;
  let settings: ReturnType<typeof readCitadelSettings>;

  before(async () => {
    rendered = await render('manifests/base');
    pod = rendered.one<Deployment>('Deployment', 'citadel').spec.template.spec;
    container = pod.containers[0]!;
    settings = readCitadelSettings(configOf(rendered, pod, container));
  });

  it('is started with a command and a configuration that it accepts', () => {
    expect(readProgramLine([...container.command!, ...container.args!])).to.include({
      program: 'citadel',
      command: 'serve',
    });
    expect(settings.attestation.mode).to.equal('token-review');
  });

  it('listens where its container, its probes and its Service say', () => {
    const [api, health] = [portOf(settings.api.listen), portOf(settings.health.listen)];
    expect(container.ports?.map(({ containerPort }) => containerPort)).to.have.members([api, health]);
    expect(Object.fromEntries(probedPorts(pod))).to.deep.equal({
      'citadel startupProbe /healthz': health,
      'citadel livenessProbe /healthz': health,
      'citadel readinessProbe /readyz': health,
    });
    expect(rendered.one<Service>('Service', 'citadel').spec.ports.map(({ port }) => port)).to.deep.equal([api]);
  });

  it('has a serving certificate for the name of its Service', () => {
    const { name, namespace } = rendered.one('Service', 'citadel').metadata;
    expect(settings.api.names).to.include.members([
      `${name}.${namespace}.svc`,
      `${name}.${namespace}.svc.cluster.local`,
    ]);
  });

  it('keeps authority and journal on the claim', () => {
    const mount = container.volumeMounts?.find(({ name }) => name === 'data');
    expect(mount?.readOnly).to.equal(undefined);
    for (const path of [settings.authority.directory, settings.journal.file])
      expect(path.startsWith(`${mount?.mountPath}/`), path).to.equal(true);
  });

  it('finds its API token where the in-cluster default looks', () => {
    const volume = pod.volumes?.find(({ name }) => name === 'kubernetes');
    const token = volume?.projected?.sources.find((source) => source.serviceAccountToken)?.serviceAccountToken;
    expect(token).to.deep.equal({ path: 'token', expirationSeconds: 3600 });
    expect(container.volumeMounts?.find(({ name }) => name === 'kubernetes')?.mountPath).to.equal(
      '/var/run/secrets/kubernetes.io/serviceaccount',
    );
  });

  it('is one, and is replaced before the next one starts: its journal has one writer', () => {
    const { spec } = rendered.one<Deployment>('Deployment', 'citadel');
    expect(spec.replicas).to.equal(1);
    expect(spec.strategy?.type).to.equal('Recreate');
  });

  it('has time to drain before it is killed', () => {
    const { shutdown, limits } = settings;
    expect(pod.terminationGracePeriodSeconds).to.be.greaterThan(shutdown.announceSeconds + limits.drainSeconds);
  });

  it('may create token reviews and nothing else', () => {
    const roles = rendered.objects.filter(({ kind }) => /Role$/.test(kind)) as (KubernetesObject & {
      rules: unknown;
    })[];
    expect(roles.map(({ rules }) => rules)).to.deep.equal([
      [{ apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] }],
    ]);
    const [binding, ...others] = rendered.objects.filter(({ kind }) => /RoleBinding$/.test(kind));
    expect(others).to.deep.equal([]);
    expect(binding).to.deep.include({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: roles[0]?.metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: pod.serviceAccountName, namespace: 'citadel-system' }],
    });
  });

  it('is reached through the network policy on its two ports only', () => {
    interface Policy extends KubernetesObject {
      spec: { podSelector: object; policyTypes: string[]; ingress?: { ports: { port: number }[] }[] };
    }
    const policies = rendered.all<Policy>('NetworkPolicy');
    const deny = policies.find(({ metadata }) => metadata.name === 'default-deny');
    expect(deny?.spec).to.deep.equal({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    const ports = policies
      .flatMap(({ spec }) => spec.ingress ?? [])
      .flatMap((rule) => rule.ports.map(({ port }) => port));
    expect(ports).to.have.members([portOf(settings.api.listen), portOf(settings.health.listen)]);
  });

  it('never blocks the drain of its node', () => {
    const [budget] = rendered.all<KubernetesObject & { spec: object }>('PodDisruptionBudget');
    expect(budget?.spec).to.deep.include({ maxUnavailable: 1 });
  });
});

describe('citadel with a plugged-in authority', () => {
  it('reads it, and cannot write to it, where its configuration says', async () => {
    const rendered = await render('manifests/overlays/plugged-in-authority');
    const pod = rendered.one<Deployment>('Deployment', 'citadel').spec.template.spec;
    const [container] = pod.containers;
    const { directory } = readCitadelSettings(configOf(rendered, pod, container!)).authority;
    expect(securityProblems(pod)).to.deep.equal([]);
    expect(container?.volumeMounts).to.deep.include({ name: 'authority', mountPath: directory, readOnly: true });
    const secret = pod.volumes?.find(({ name }) => name === 'authority')?.secret;
    expect(secret).to.deep.equal({ secretName: 'cacerts', defaultMode: 0o400 });
    expect(pod.volumes?.map(({ name }) => name)).to.include.members(['config', 'data', 'kubernetes']);
  });
});
