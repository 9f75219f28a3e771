import { expect } from 'chai';
import { mountProblems, securityProblems } from './pod-rules.ts';
import { containersOf, type Deployment, type Rendered, render, type Service } from './rendered.ts';

/** Put there by Kubernetes, or by the operator as the README beside the samples says. */
const FROM_ELSEWHERE = ['kube-root-ca.crt', 'citadel-root-cert'];

for (const folder of ['manifests/base', 'manifests/samples']) {
  describe(folder, () => {
    let rendered: Rendered;
    let deployments: readonly Deployment[];

    before(async () => {
      rendered = await render(folder);
      deployments = rendered.all<Deployment>('Deployment');
    });

    it('has only pods that the restricted standard lets in', () => {
      expect(deployments).not.to.be.empty;
      for (const { metadata, spec } of deployments)
        expect(securityProblems(spec.template.spec), metadata.name).to.deep.equal([]);
      const [namespace] = rendered.all('Namespace');
      expect(namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce']).to.equal('restricted');
    });

    it('mounts only what exists', () => {
      for (const { metadata, spec } of deployments)
        expect(mountProblems(spec.template.spec, rendered, FROM_ELSEWHERE), metadata.name).to.deep.equal([]);
    });

    it('puts everything with a namespace into one', () => {
      const [namespace] = rendered.all('Namespace');
      const outside = rendered.objects.filter(
        ({ kind, metadata }) => !/^(Namespace|Cluster)/.test(kind) && metadata.namespace !== namespace?.metadata.name,
      );
      expect(outside).to.deep.equal([]);
    });

    it('selects the pods that it means', () => {
      for (const { spec } of deployments) expect(spec.template.metadata.labels).to.include(spec.selector.matchLabels);
      for (const { spec } of rendered.all<Service>('Service')) {
        const pods = deployments.filter(({ spec: { template } }) =>
          Object.entries(spec.selector).every(([key, value]) => template.metadata.labels[key] === value),
        );
        expect(pods).to.have.length(1);
        const ports = containersOf(pods[0]!.spec.template.spec).flatMap(({ ports }) => ports ?? []);
        for (const { targetPort } of spec.ports) expect(ports.map(({ name }) => name)).to.include(targetPort);
      }
    });

    it('writes the port of a Service as the port behind it, so that nobody has to translate', () => {
      for (const { metadata, spec } of rendered.all<Service>('Service')) {
        const pod = rendered.one<Deployment>('Deployment', metadata.name).spec.template.spec;
        const ports = containersOf(pod).flatMap(({ ports }) => ports ?? []);
        for (const { port, targetPort } of spec.ports)
          expect(ports.find(({ name }) => name === targetPort)?.containerPort).to.equal(port);
      }
    });
  });
}
