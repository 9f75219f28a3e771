import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { citadelMetrics, sidecarMetrics } from '../../scripts/metric-tables.ts';
import { isRefusalCode } from '../../shared/errors/refusal.ts';
import type { MetricDescription } from '../../shared/metrics/metrics.ts';
import { tool } from '../support/tool.ts';
import { ROOT } from './rendered.ts';

const FOLDER = path.join(ROOT, 'manifests/monitoring');

/** Labels that Prometheus or its configuration adds, or that a histogram has by nature. */
const FOREIGN_LABELS = ['job', 'instance', 'workload', 'le'];

/** What an expression names that the code does not have. */
function problemsOf(expression: string, metrics: readonly MetricDescription[]): string[] {
  const known = new Map(metrics.flatMap((metric) => seriesOf(metric).map((series) => [series, metric] as const)));
  const names = expression.match(/\b(?:citadel|sidecar|istio)_\w+/g) ?? [];
  const used = names.flatMap((name) => known.get(name) ?? []);
  const labels = new Set([...FOREIGN_LABELS, ...used.flatMap((metric) => metric.labels)]);
  return [
    ...names.filter((name) => !known.has(name)),
    ...labelsIn(expression).filter((label) => !labels.has(label)),
    ...codesIn(expression).filter((code) => !isRefusalCode(code)),
  ];
}

function seriesOf({ name, kind }: MetricDescription): string[] {
  return kind === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name];
}

function labelsIn(expression: string): string[] {
  const grouped = Array.from(expression.matchAll(/\b(?:by|on|without)\s*\(([^)]*)\)/g), (match) =>
    match[1]!.split(','),
  );
  const matched = Array.from(expression.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)/g), (match) => match[1]!);
  return [...grouped.flat().map((label) => label.trim()), ...matched];
}

function codesIn(expression: string): string[] {
  return Array.from(expression.matchAll(/\bcode=~?"([^"]*)"/g), (match) => match[1]!.split('|')).flat();
}

describe('monitoring', () => {
  const metrics = [...citadelMetrics(), ...sidecarMetrics()];
  const alerts = parse(readFileSync(path.join(FOLDER, 'alerts.yml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
  };
  const rules = alerts.groups.flatMap((group) => group.rules);
  const dashboard = JSON.parse(readFileSync(path.join(FOLDER, 'dashboard.json'), 'utf8')) as {
    panels: { id: number; type: string; title: string; targets?: { expr: string }[] }[];
  };

  it('has a configuration, alerts and tests of alerts that promtool accepts', async () => {
    for (const args of [
      ['check', 'config', path.join(FOLDER, 'prometheus.yml')],
      ['check', 'rules', path.join(FOLDER, 'alerts.yml')],
      ['test', 'rules', path.join(import.meta.dirname, 'alerts.promtool.yml')],
    ]) {
      const { code, stdout, stderr } = await tool('promtool', args);
      expect(code, `${args.join(' ')}\n${stdout}${stderr}`).to.equal(0);
    }
  });

  it('alerts on metrics, labels and codes that the programs have', () => {
    for (const { alert, expr } of rules) expect(problemsOf(expr, metrics), alert).to.deep.equal([]);
  });

  it('says in every alert what is wrong and what it means', () => {
    for (const { alert, annotations } of rules)
      expect(Object.keys(annotations), alert).to.deep.equal(['summary', 'description']);
  });

  it('draws metrics and labels that the programs have, in expressions that Prometheus can read', async () => {
    const panels = dashboard.panels.filter(({ type }) => type !== 'row');
    const expressions = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
    expect(new Set(expressions.map(({ title }) => title)).size).to.equal(panels.length);
    for (const { title, expr } of expressions) expect(problemsOf(expr, metrics), title).to.deep.equal([]);
    const asRules = {
      groups: [{ name: 'dashboard', rules: expressions.map(({ expr }, at) => ({ record: `panel:${at}`, expr })) }],
    };
    const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-'));
    try {
      const file = path.join(folder, 'panels.yml');
      writeFileSync(file, JSON.stringify(asRules));
      const { code, stdout, stderr } = await tool('promtool', ['check', 'rules', file]);
      expect(code, stdout + stderr).to.equal(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('has an id of its own for every panel', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
  });

  it('would notice a metric, a label or a code that is gone', () => {
    for (const expression of [
      'citadel_gone_total',
      'sum by (pod) (citadel_refusals_total)',
      'citadel_refusals_total{code="gone"}',
      'citadel_ready{gone="x"}',
    ])
      expect(problemsOf(expression, metrics), expression).to.have.length(1);
  });
});
