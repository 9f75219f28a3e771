/**
 * Every setting of the sidecar with its default, its unit and its bounds. The docs table, the environment variables
 * and `--print-config` derive from it. It only describes: nothing is opened or read here.
 */
import { z } from 'zod';
import { withCrossCheck } from '../shared/config/cross-checks.ts';
import { address, choice, logFormat, logLevel, text, trustDomain, whole } from '../shared/config/fields.ts';
import type { SettingsSpec } from '../shared/config/settings.ts';
import { parseSpiffeId, SpiffeIdError } from '../shared/spiffe/spiffe-id.ts';
import { isLoopbackAddress } from './admin/loopback.ts';
import { checkSettings } from './config-rules.ts';

const label = (description: string) => z.string().min(1).max(253).optional().meta({ description });
const peerAddress = (description: string) => address(description, '0.0.0.0:15006');
const loopback = (description: string, why: string) =>
  z
    .string()
    .refine(isLoopbackAddress, `expected an address on loopback, for example 127.0.0.1:8080: ${why}`)
    .meta({ description });

const listenerName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/,
    'expected a short name of lower-case letters, digits, dots and dashes',
  );
const protocol = choice(['http', 'tcp'], 'http', 'http reads requests (HTTP/1.1); tcp carries bytes.');

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

const inbound = z.strictObject({
  name: listenerName.default('app').meta({ description: 'Name of the listener in logs and metrics.' }),
  listen: peerAddress('Address that peers connect to, with mutual TLS.'),
  protocol,
  app: loopback('Where the app listens.', 'what goes to the app is plaintext'),
});

const outbound = z.strictObject({
  name: listenerName.meta({ description: 'Name of the listener in logs and metrics.' }),
  listen: loopback('Address that the app connects to.', 'whoever reaches it speaks with the identity of this workload'),
  protocol,
  to: peerAddress('Where the connection goes, with mutual TLS.'),
  peers: z
    .array(z.string().refine(isWorkloadId, 'expected a SPIFFE ID such as spiffe://cluster.local/ns/shop/sa/orders'))
    .min(1)
    .max(64)
    .meta({ description: 'SPIFFE IDs that may answer there, at least one. Whoever else answers is refused.' }),
});

const limits = z.strictObject({
  connections: whole(1, 1_000_000, 10_000, 'Most open connections per listener.'),
  handshakeSeconds: whole(1, 120, 5, 'How long a TLS handshake may take, seconds.'),
  connectSeconds: whole(1, 120, 5, 'How long connecting may take, to peers and to the app, seconds.'),
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
  inbound: z.array(inbound).max(64).default([]).meta({ description: 'Ports for peers: name, listen, protocol, app.' }),
  outbound: z
    .array(outbound)
    .max(256)
    .default([])
    .meta({ description: 'Ports for the app: name, listen, protocol, to, peers.' }),
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

function isWorkloadId(value: string): boolean {
  try {
    return parseSpiffeId(value).path !== '';
  } catch (error) {
    if (error instanceof SpiffeIdError) return false;
    throw error;
  }
}
