import { expect } from 'chai';
import { mountProblems, securityProblems } from './pod-rules.ts';
import { type Container, type PodSpec, render } from './rendered.ts';

describe('the rules for pods', () => {
  const good: PodSpec = {
    automountServiceAccountToken: false,
    serviceAccountName: 'a',
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'a',
        image: 'a',
        resources: { requests: {}, limits: {} },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      },
    ],
  };
  const container = good.containers[0]!;
  const withContainer = (change: Partial<Container>): PodSpec => ({
    ...good,
    containers: [{ ...container, ...change }],
  });

  it('let a good pod pass', () => {
    expect(securityProblems(good)).to.deep.equal([]);
  });

  for (const [what, bad] of Object.entries({
    'a pod as root': { ...good, securityContext: { ...good.securityContext, runAsUser: 0 } },
    'a pod without seccomp': { ...good, securityContext: { runAsNonRoot: true, runAsUser: 65_532 } },
    'a pod with an API token': { ...good, automountServiceAccountToken: true },
    'a path of the host': { ...good, volumes: [{ name: 'v', hostPath: {} }] },
    'a container that may write': withContainer({
      securityContext: { ...container.securityContext, readOnlyRootFilesystem: false },
    }),
    'a container with a capability': withContainer({
      securityContext: { ...container.securityContext, capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } },
    }),
    'an init container without a context': { ...good, initContainers: [{ name: 'i', image: 'i' }] },
  } satisfies Record<string, PodSpec>)) {
    it(`refuse ${what}`, () => {
      expect(securityProblems(bad)).not.to.deep.equal([]);
    });
  }

  it('refuse a mount of nothing, a ConfigMap that is not there and a subPath', async () => {
    const rendered = await render('manifests/base');
    const problems = mountProblems(
      {
        ...withContainer({
          volumeMounts: [
            { name: 'gone', mountPath: '/a' },
            { name: 'b', mountPath: '/b', subPath: 'c' },
          ],
        }),
        volumes: [{ name: 'b', configMap: { name: 'no-such' } }],
      },
      rendered,
      [],
    );
    expect(problems).to.have.length(4);
  });
});
