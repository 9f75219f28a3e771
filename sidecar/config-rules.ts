/** What settings must be together, each rule with the key to change. Pure; single values are checked in config.ts. */
import type { CrossCheck, Findings } from '../shared/config/cross-checks.ts';
import { parseListenAddress } from '../shared/process/listen-address.ts';
import type { SidecarSettings } from './config.ts';

interface Port {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

const LISTS = ['inbound', 'outbound'] as const;
type ListKey = (typeof LISTS)[number];

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Reports every broken rule at once; values that are wrong by themselves are left out. */
export const checkSettings: CrossCheck<SidecarSettings> = (settings, findings) => {
  for (const key of LISTS) checkNames(key, settings, findings);
  checkPorts(portsOf(settings, findings), findings);
  if (LISTS.every((key) => !findings.isWrong([key]) && settings[key].length === 0)) {
    findings.report(['inbound'], 'has no listener, and outbound has none either: this sidecar would carry nothing');
  }
};

/** A name is a metric label and a log field: two listeners under one name could not be told apart. */
function checkNames(key: ListKey, settings: SidecarSettings, { isWrong, report }: Findings): void {
  const taken = new Set<string>();
  for (const at of placesIn(key, settings, isWrong)) {
    const path = [key, at, 'name'];
    if (isWrong(path)) continue;
    const { name } = settings[key][at]!;
    if (taken.has(name)) report(path, `is taken by another ${key} listener`);
    taken.add(name);
  }
}

function checkPorts(ports: readonly Port[], { report }: Findings): void {
  for (const [at, port] of ports.entries()) {
    const rival = ports.slice(0, at).find((other) => collide(port.text, other.text));
    if (rival) report(port.path, `is the same address as ${rival.path.join('.')}`);
  }
}

function portsOf(settings: SidecarSettings, { isWrong }: Findings): Port[] {
  const listed = LISTS.flatMap((key) =>
    placesIn(key, settings, isWrong)
      .filter((at) => !isWrong([key, at, 'listen']))
      .map((at) => ({ path: [key, at, 'listen'], text: settings[key][at]!.listen })),
  );
  const single = (['admin', 'metrics', 'health'] as const)
    .filter((key) => !isWrong([key, 'listen']))
    .map((key) => ({ path: [key, 'listen'], text: settings[key].listen }));
  return [...listed, ...single];
}

/** Where in a list there are listeners to speak of. */
function placesIn(key: ListKey, settings: SidecarSettings, isWrong: Findings['isWrong']): number[] {
  return isWrong([key]) ? [] : settings[key].map((_, at) => at).filter((at) => !isWrong([key, at]));
}

/** Port 0 asks for any free port and never collides. */
function collide(one: string, other: string): boolean {
  const [a, b] = [parseListenAddress(one), parseListenAddress(other)];
  if (!a || !b || a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || WILDCARDS.has(a.host) || WILDCARDS.has(b.host);
}
