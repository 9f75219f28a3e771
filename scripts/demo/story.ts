/**
 * The demo's course: start, show who is who, let traffic flow, try what must be refused, wait until everyone
 * has rotated, count. It tells every step and judges none until the end.
 */
import { once } from 'node:events';
import type { Mesh } from '../local-mesh/mesh.ts';
import type { LogEvent } from '../local-mesh/running.ts';
import { callInPlaintext, callTheImpostor, sendAnExpiredToken } from './attacks.ts';
import { DEMO_CERTIFICATE_SECONDS, HONEST, IMPOSTOR } from './demo-plan.ts';
import type { Screen, Summary } from './screen.ts';
import { startTraffic, type Traffic } from './traffic.ts';
import { tunnelsOf } from './tunnels.ts';

const REQUESTS_PER_SECOND = 25;
/** Renewal comes at 40-60 % of the lifetime; past the whole lifetime something is wrong. */
const ROTATION_WITHIN_MS = DEMO_CERTIFICATE_SECONDS * 1000;

/** @throws when a program does not do its part, and soon after the signal: nothing of it goes on then */
export async function runStory(mesh: Mesh, screen: Screen, signal: AbortSignal): Promise<Summary> {
  const began = performance.now();
  screen.line(
    `Sallyport demo: web → orders → ledger, tunnels between their sidecars; certificates live ${DEMO_CERTIFICATE_SECONDS} s.\n`,
  );
  await startAll(mesh, screen);
  const web = mesh.service('web').plan;
  const traffic = startTraffic(`http://127.0.0.1:${web.ports.app}/`, REQUESTS_PER_SECOND, HONEST.length);
  try {
    const rotations = watchRotations(mesh, screen, traffic);
    await moreTraffic(traffic, signal);
    screen.say('traffic', `${traffic.sent} requests so far, ${traffic.failed} failed; ${traffic.callers.join(', ')}`);
    screen.say('tunnel', `web has sent ${await tunnelsOf(mesh.service('web'))}`);
    const refused = await tryWhatMustFail(mesh, screen);
    screen.say('demo', `waits until web, orders and ledger have rotated (about half of ${DEMO_CERTIFICATE_SECONDS} s)`);
    await rotations.all;
    await moreTraffic(traffic, signal);
    await traffic.stop();
    return { seconds: (performance.now() - began) / 1000, checks: judge(traffic, rotations.counts, refused) };
  } finally {
    await traffic.stop();
  }
}

interface Refused {
  readonly impostor: string;
  readonly plaintext: string;
  readonly expiredToken: string;
}

async function startAll(mesh: Mesh, screen: Screen): Promise<void> {
  await mesh.startIssuer();
  screen.say('dev issuer', 'stands in for Kubernetes: signs service account tokens (never for production)');
  await mesh.startCitadel();
  screen.say('citadel', `is ready at ${mesh.plan.citadel.url}; its root was made just now`);
  await Promise.all(
    mesh.plan.services.map(async ({ name, spiffeId }) => {
      const { sidecar } = await mesh.startService(name);
      const { fields } = await sidecar.event('it has an identity', ({ event }) => event === 'identity_published');
      screen.say(name, `is ${spiffeId}, serial ${short(fields)}, until ${untilOf(fields)}`);
    }),
  );
}

async function tryWhatMustFail(mesh: Mesh, screen: Screen): Promise<Refused> {
  const impostor = await callTheImpostor(mesh);
  screen.say(IMPOSTOR, `answers where orders expects ledger; orders refuses to talk: ${impostor}`);
  const plaintext = await callInPlaintext(mesh);
  screen.say('stranger', `calls at ledger's tunnel without TLS; ledger refuses: ${plaintext}`);
  const expired = await sendAnExpiredToken(mesh);
  screen.say('old token', `asks citadel for a certificate; citadel refuses: ${expired}`);
  return { impostor, plaintext, expiredToken: expired };
}

/** Counts certificates after the first, of the honest three. */
function watchRotations(
  mesh: Mesh,
  screen: Screen,
  traffic: Traffic,
): { counts: Map<string, number>; all: Promise<void> } {
  const counts = new Map<string, number>(HONEST.map((name) => [name, 0]));
  const follow = async (name: string): Promise<void> => {
    const rotated = (event: LogEvent): boolean => event.event === 'identity_published';
    const { fields } = await mesh.service(name).sidecar.next(`${name} rotates`, rotated, ROTATION_WITHIN_MS);
    counts.set(name, counts.get(name)! + 1);
    screen.say(
      name,
      `rotated: fresh key, serial ${short(fields)}, until ${untilOf(fields)}; ${traffic.failed} of ${traffic.sent} requests failed`,
    );
  };
  const all = Promise.all(HONEST.map(follow)).then(() => undefined);
  all.catch(() => undefined); // told by the await in runStory; here it only must not count as unhandled
  return { counts, all };
}

/** One more second of it: to see it flow at all, and at the end to see it flow on the new certificates. */
async function moreTraffic(traffic: Traffic, signal: AbortSignal): Promise<void> {
  const enough = traffic.sent + REQUESTS_PER_SECOND;
  while (traffic.sent < enough) {
    await once(AbortSignal.timeout(100), 'abort');
    signal.throwIfAborted();
  }
}

function judge(traffic: Traffic, rotations: ReadonlyMap<string, number>, refused: Refused): Summary['checks'] {
  const rotated = [...rotations].filter(([, count]) => count > 0).length;
  const failures = traffic.failed === 0 ? '0 failed' : `${traffic.failed} failed, first: ${traffic.firstFailure}`;
  return [
    {
      what: 'requests web → orders → ledger',
      expected: '0 failed',
      seen: `${traffic.sent} sent, ${failures}`,
      ok: traffic.sent > 100 && traffic.failed === 0,
    },
    {
      what: 'callers proved to the called',
      expected: '2',
      seen: String(traffic.callers.length),
      ok: traffic.callers.length === 2 && traffic.callers.every((caller) => caller.includes('spiffe://')),
    },
    {
      what: 'services that rotated under traffic',
      expected: '3',
      seen: String(rotated),
      ok: rotated === HONEST.length,
    },
    codeCheck('impostor at the address of ledger', 'peer_identity_unexpected', refused.impostor),
    codeCheck('caller without TLS', 'peer_plaintext', refused.plaintext),
    codeCheck('expired token', 'token_expired', refused.expiredToken),
  ];
}

function codeCheck(what: string, expected: string, seen: string): Summary['checks'][number] {
  return { what, expected, seen, ok: seen === expected };
}

/** The end: serials begin with the time, and those of one second look alike. */
function short(fields: LogEvent['fields']): string {
  return `…${String(fields['serial']).slice(-8)}`;
}

function untilOf(fields: LogEvent['fields']): string {
  return String(fields['notAfter']).slice(11, 19);
}
