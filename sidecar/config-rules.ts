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
  checkPeers(settings, findings);
  checkApps(settings, findings);
  checkCallers(settings, findings);
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

function checkPeers(settings: SidecarSettings, { isWrong, report }: Findings): void {
  for (const at of placesIn('outbound', settings, isWrong)) {
    const path = ['outbound', at, 'peers'];
    if (isWrong(path) || isWrong(['outbound', at, 'transport'])) continue;
    const { peers, transport } = settings.outbound[at]!;
    const plain = transport === 'unsafePlaintext';
    if (peers.length === 0 && !plain) report(path, 'is empty: at least one SPIFFE ID must be expected there');
    if (peers.length > 0 && plain) report(path, 'cannot be checked with `transport: unsafePlaintext`');
  }
}

/** A tunnel names an app by its port alone. */
function checkApps(settings: SidecarSettings, { isWrong, report }: Findings): void {
  const taken = new Set<number>();
  for (const at of placesIn('inbound', settings, isWrong)) {
    const path = ['inbound', at, 'app'];
    if (isWrong(path)) continue;
    const { listen, unsafePlaintext, app } = settings.inbound[at]!;
    const port = parseListenAddress(app)?.port;
    if (port !== undefined && taken.has(port))
      report(path, 'has the port of another app: tunnels could not tell them apart');
    if (port !== undefined) taken.add(port);
    if (unsafePlaintext && listen === undefined) report(['inbound', at, 'unsafePlaintext'], 'needs `listen`');
  }
}

/** A list of callers that one only has to leave out TLS to get past would fool whoever reads it. */
function checkCallers(settings: SidecarSettings, { isWrong, report }: Findings): void {
  for (const at of placesIn('inbound', settings, isWrong)) {
    const path = ['inbound', at, 'allow'];
    if (isWrong(path) || isWrong(['inbound', at, 'unsafePlaintext'])) continue;
    const { allow, unsafePlaintext } = settings.inbound[at]!;
    if (allow === undefined || !unsafePlaintext) continue;
    report(
      path,
      'would be got past by everyone without TLS: take away `unsafePlaintext: true`, or this list until every caller has a sidecar',
    );
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
      .map((at) => ({ path: [key, at, 'listen'], text: settings[key][at]!.listen ?? '' }))
      .filter(({ text }) => text !== ''),
  );
  const single = (['tunnel', 'admin', 'metrics', 'health'] as const)
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
