/**
 * Every setting of the sidecar with its default, its unit and its bounds. The docs table, the environment variables
 * and `--print-config` derive from it. It only describes: nothing is opened or read here.
 */
import { z } from 'zod';
import { withCrossCheck } from '../shared/config/cross-checks.ts';
import { choice, logFormat, logLevel, text, trustDomain, whole } from '../shared/config/fields.ts';
import type { SettingsSpec } from '../shared/config/settings.ts';
import { balance, inbound, loopback, outbound, peerAddress, tunnel } from './config-listeners.ts';
import { checkSettings } from './config-rules.ts';

const label = (description: string) => z.string().min(1).max(253).optional().meta({ description });
const citadel = z.strictObject({
  url: z
    .string()
    .refine(isOrigin, 'expected https://host:port, and nothing behind it')
    .default('https://citadel.citadel-system.svc:15012')
    .meta({ description: 'Where citadel is. Its certificate must name this host.' }),
  caFile: text('PEM file with the roots that citadel is believed under. Read again for every call.').default(
    '/etc/citadel/root-cert.pem',
  ),
});

const workload = z.strictObject({
  name: label('Name of the workload, for metrics only: the identity comes from the token.'),
  namespace: label('Namespace of the workload, for metrics only.'),
  app: label('Value of the `app` label of metrics.'),
  version: label('Value of the `version` label of metrics.'),
});

const limits = z.strictObject({
  connections: whole(
    1,
    1_000_000,
    10_000,
    'Most open connections per listener, and most tunnels of one peer, in each worker.',
  ),
  handshakeSeconds: whole(1, 120, 5, 'How long a TLS handshake may take, seconds.'),
  connectSeconds: whole(1, 120, 5, 'How long connecting may take, to peers and to the app, seconds.'),
  detectMs: whole(
    10,
    60_000,
    1000,
    'How long a silent client is waited for, milliseconds. Then `protocol: auto` dials the destination, which may speak first, and `unsafePlaintext` takes the client for one without TLS.',
  ),
  headerSeconds: whole(1, 300, 10, 'How long an HTTP header may take to arrive, seconds.'),
  headerBytes: whole(1024, 1_048_576, 16_384, 'Largest HTTP header, bytes.'),
  headerCount: whole(10, 2000, 100, 'Most fields in an HTTP header.'),
  bodyIdleSeconds: whole(1, 3600, 60, 'Longest silence within an HTTP body, seconds.'),
  idleSeconds: whole(1, 86_400, 300, 'Longest silence of a connection, seconds.'),
  expiryGraceSeconds: whole(
    0,
    3600,
    30,
    'How long an answer in progress may take after the certificate behind its connection has expired, seconds.',
  ),
  drainSeconds: whole(
    0,
    3600,
    30,
    'How long connections may take to finish after SIGTERM, seconds. Keep it below terminationGracePeriodSeconds.',
  ),
});

const renewal = z.strictObject({
  firstRetryMs: whole(10, 60_000, 500, 'Longest wait after the first failed try, milliseconds; it doubles with each.'),
  capSeconds: whole(
    1,
    3600,
    30,
    'Longest wait between two tries while the certificate lasts, seconds. Without one it is 4 s.',
  ),
});

const log = z.strictObject({
  level: logLevel('Least level that is logged. Read again on SIGHUP.'),
  format: logFormat(),
  access: choice(['off', 'debug', 'info'], 'off', 'Level of one line per request or TCP connection.'),
});

const single = z.strictObject({
  citadel: citadel.prefault({}),
  tokenFile: text('File with the projected service account token. Read again for every call.').default(
    '/var/run/secrets/citadel/token',
  ),
  trustDomain: trustDomain('Trust domain of this workload. An identity or a bundle of another one is refused.').default(
    'cluster.local',
  ),
  workload: workload.prefault({}),
  certificateSeconds: z
    .int()
    .min(5)
    .max(2_592_000)
    .optional()
    .meta({ description: 'Lifetime to ask for, seconds. Default: what citadel gives.' }),
  inbound: z.array(inbound).max(64).default([]).meta({ description: 'Apps that peers reach.' }),
  outbound: z
    .array(outbound)
    .max(256)
    .default([])
    .meta({ description: 'Ports for the app, each with its destination.' }),
  workers: whole(
    1,
    64,
    1,
    'Threads that carry traffic. More than one pays when one core is not enough; they share ports, identity and metrics.',
  ),
  tunnel: tunnel.prefault({}),
  balance: balance.prefault({}),
  admin: z
    .strictObject({
      listen: loopback(
        'Address of /identity, /config and /connections (plain HTTP).',
        'it is for whoever is inside the pod already',
      ).default('127.0.0.1:15000'),
    })
    .prefault({}),
  metrics: z
    .strictObject({ listen: peerAddress('Address of /metrics (plain HTTP).').default('0.0.0.0:15020') })
    .prefault({}),
  health: z
    .strictObject({ listen: peerAddress('Address of /healthz and /readyz (plain HTTP).').default('0.0.0.0:15021') })
    .prefault({}),
  limits: limits.prefault({}),
  renewal: renewal.prefault({}),
  log: log.prefault({}),
});

export type SidecarSettings = z.output<typeof single>;

const schema = withCrossCheck(single, checkSettings);

export const SIDECAR_SETTINGS: SettingsSpec<typeof schema> = { prefix: 'SIDECAR', schema };

function isOrigin(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol: scheme, origin, href, username, password } = new URL(value);
  return scheme === 'https:' && username === '' && password === '' && href === `${origin}/`;
}
