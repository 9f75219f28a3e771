/** The scrape configuration for a cluster is one that Prometheus takes, and its filters keep the ports of the manifests. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { tool } from '../support/tool.ts';
import { containersOf, type Deployment, ROOT, render } from './rendered.ts';

const FILE = path.join(ROOT, 'manifests/monitoring/kubernetes-scrape.yml');

interface Job {
  readonly job_name: string;
  readonly kubernetes_sd_configs: readonly { readonly role: string }[];
  readonly relabel_configs: readonly { readonly regex?: string; readonly action?: string }[];
}

const { scrape_configs: jobs } = parse(readFileSync(FILE, 'utf8')) as { scrape_configs: readonly Job[] };

/** The ports of a folder that a job keeps, as `container;port number`. */
async function keptPorts(job: string, folder: string): Promise<string[]> {
  const [filter] = jobs.find(({ job_name }) => job_name === job)!.relabel_configs;
  expect(filter?.action).to.equal('keep');
  const keep = new RegExp(`^(?:${filter!.regex})$`); // Prometheus anchors both ends
  const deployments = (await render(folder)).all<Deployment>('Deployment');
  return deployments
    .flatMap(({ spec }) => containersOf(spec.template.spec))
    .flatMap(({ name, ports = [] }) => ports.map((port) => ({ id: `${name};${port.name}`, port: port.containerPort })))
    .filter(({ id }) => keep.test(id))
    .map(({ id, port }) => `${id} ${port}`);
}

describe('the scrape configuration for a cluster', () => {
  it('looks for pods, and is otherwise one that Prometheus takes', async () => {
    // Debian's Prometheus is built without Kubernetes: the discovery is looked at here, the rest by promtool.
    const others = jobs.map(({ kubernetes_sd_configs, ...job }) => {
      expect(kubernetes_sd_configs.map(({ role }) => role)).to.deep.equal(['pod']);
      return { ...job, static_configs: [] };
    });
    const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-'));
    try {
      const file = path.join(folder, 'prometheus.yml');
      writeFileSync(file, JSON.stringify({ scrape_configs: others }));
      const { code, stdout, stderr } = await tool('promtool', ['check', 'config', file]);
      expect(code, stdout + stderr).to.equal(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('keeps the metrics ports of the manifests, one per pod', async () => {
    expect(await keptPorts('citadel', 'manifests/base')).to.deep.equal(['citadel;health 15014']);
    expect(await keptPorts('sidecar', 'manifests/samples')).to.deep.equal(Array(2).fill('sidecar;metrics 15020'));
  });
});
