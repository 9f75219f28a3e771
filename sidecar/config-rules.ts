/** What settings must be together, each rule with the key to change. Pure; single values are checked in config.ts. */
import { parseListenAddress } from '../shared/process/listen-address.ts';
import type { SidecarSettings } from './config.ts';

/** The part of zod's refinement context that a rule uses. */
interface Problems {
  addIssue(issue: { code: 'custom'; path: PropertyKey[]; message: string }): void;
}

interface Port {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Reports every broken rule at once, for zod's `superRefine`. */
export function checkSettings(settings: SidecarSettings, problems: Problems): void {
  const report = (path: readonly PropertyKey[], message: string): void =>
    problems.addIssue({ code: 'custom', path: [...path], message });
  checkNames('inbound', settings.inbound, report);
  checkNames('outbound', settings.outbound, report);
  checkPorts(portsOf(settings), report);
  if (settings.inbound.length + settings.outbound.length === 0) {
    report(['inbound'], 'has no listener, and outbound has none either: this sidecar would carry nothing');
  }
}

type Report = (path: readonly PropertyKey[], message: string) => void;

/** A name is a metric label and a log field: two listeners under one name could not be told apart. */
function checkNames(key: string, listeners: readonly { readonly name: string }[], report: Report): void {
  for (const [at, { name }] of listeners.entries()) {
    if (listeners.findIndex((other) => other.name === name) < at)
      report([key, at, 'name'], `is taken by another ${key} listener`);
  }
}

function checkPorts(ports: readonly Port[], report: Report): void {
  for (const [at, port] of ports.entries()) {
    const rival = ports.slice(0, at).find((other) => collide(port.text, other.text));
    if (rival) report(port.path, `is the same address as ${rival.path.join('.')}`);
  }
}

function portsOf({ inbound, outbound, admin, metrics, health }: SidecarSettings): Port[] {
  const many = (key: string, listeners: readonly { readonly listen: string }[]): Port[] =>
    listeners.map(({ listen }, at) => ({ path: [key, at, 'listen'], text: listen }));
  return [
    ...many('inbound', inbound),
    ...many('outbound', outbound),
    { path: ['admin', 'listen'], text: admin.listen },
    { path: ['metrics', 'listen'], text: metrics.listen },
    { path: ['health', 'listen'], text: health.listen },
  ];
}

/** Port 0 asks for any free port and never collides. What is no address is reported elsewhere. */
function collide(one: string, other: string): boolean {
  const [a, b] = [parseListenAddress(one), parseListenAddress(other)];
  if (!a || !b || a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || WILDCARDS.has(a.host) || WILDCARDS.has(b.host);
}
