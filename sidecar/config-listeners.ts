/**
 * The settings of what a sidecar carries: ports for peers, ports for the app, how destinations are chosen among and
 * how tunnels behave. It only describes; what they must be together is in config-rules.ts.
 */
import { z } from 'zod';
import { address, choice, flag, whole } from '../shared/config/fields.ts';
import { parseSpiffeId, SpiffeIdError } from '../shared/spiffe/spiffe-id.ts';
import { isLoopbackAddress } from './admin/loopback.ts';
import { faultOfEntry } from './policy/allowed-callers.ts';

export const peerAddress = (description: string) => address(description, '0.0.0.0:15006');
export const loopback = (description: string, why: string) =>
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

const protocol = choice(
  ['http', 'h2', 'tcp', 'auto'],
  'http',
  'http reads requests (HTTP/1.1); h2 carries HTTP/2 (gRPC) and counts its calls by reading along; tcp carries bytes; auto looks at the first bytes of each connection.',
);

const caller = z.string().superRefine((value, { addIssue }) => {
  const fault = faultOfEntry(value);
  if (fault === undefined) return;
  const examples = 'spiffe://cluster.local/ns/shop/sa/web, or spiffe://cluster.local/ns/shop/* for everyone below';
  addIssue({ code: 'custom', message: `expected a SPIFFE ID such as ${examples}: ${fault}` });
});

export const inbound = z.strictObject({
  name: listenerName.default('app').meta({ description: 'Name of the listener in logs and metrics.' }),
  listen: peerAddress(
    'Address that peers without a tunnel connect to, with mutual TLS. Without it the app is reached through `tunnel.listen` only.',
  ).optional(),
  protocol,
  app: loopback('Where the app listens. Tunnels name it by its port.', 'what goes to the app is plaintext'),
  allow: z
    .array(caller)
    .min(1, 'is empty, so that nobody could call: leave it away, or name who may call')
    .max(256)
    .optional()
    .meta({
      description:
        'Who may call, in tunnels and on `listen`: SPIFFE IDs, or such with `/*` as their last part, for everyone below. **Without it, every workload of the trust domain may call**.',
    }),
  unsafePlaintext: flag(
    false,
    'Whether `listen` also takes connections without TLS, from anyone, without an identity. For a migration only.',
  ),
});

export const outbound = z.strictObject({
  name: listenerName.meta({ description: 'Name of the listener in logs and metrics.' }),
  listen: loopback('Address that the app connects to.', 'whoever reaches it speaks with the identity of this workload'),
  protocol,
  to: z.union([peerAddress(''), z.array(peerAddress('')).min(1).max(256)]).meta({
    description:
      'The destination, host:port, or a list of such. A name is resolved again and again; all its addresses are used. With `transport: tunnel` the port is that of the app over there.',
  }),
  transport: choice(
    ['tunnel', 'mtls', 'unsafePlaintext'],
    'tunnel',
    'tunnel shares one mutual TLS session per peer (HBONE); mtls opens one for every connection, for peers without a tunnel; unsafePlaintext sends as it is and checks nobody.',
  ),
  tunnelPort: whole(1, 65_535, 15_008, 'Port of the sidecar over there that takes tunnels.'),
  peers: z
    .array(z.string().refine(isWorkloadId, 'expected a SPIFFE ID such as spiffe://cluster.local/ns/shop/sa/orders'))
    .max(64)
    .default([])
    .meta({
      description:
        'SPIFFE IDs that may answer there, at least one unless unsafePlaintext. Whoever else answers is refused.',
    }),
});

export const tunnel = z.strictObject({
  listen: peerAddress('Address that takes tunnels for every inbound app (HBONE).').default('0.0.0.0:15008'),
  streams: whole(1, 100_000, 1000, 'Streams that one peer may have open in one session.'),
  sessions: whole(1, 64, 4, 'Most sessions to one peer; a second one only when the first is full.'),
  idleSeconds: whole(1, 86_400, 300, 'How long a session without a stream is kept, seconds.'),
});

export const balance = z.strictObject({
  resolveSeconds: whole(1, 3600, 5, 'How often the names of destinations are resolved, seconds.'),
  mostActive: whole(
    1,
    1_000_000,
    10_000,
    'Requests and connections in progress per destination before more are refused, in each worker.',
  ),
  failures: whole(1, 1000, 5, 'Failures in a row after which an endpoint is left alone.'),
  ejectionSeconds: whole(1, 3600, 30, 'How long the first time, seconds; longer each further time.'),
  longestEjectionSeconds: whole(1, 86_400, 300, 'How long at most, seconds.'),
  mostEjectedPercent: whole(0, 100, 50, 'Share of a destination that may be left alone at the same time, percent.'),
});

function isWorkloadId(value: string): boolean {
  try {
    return parseSpiffeId(value).path !== '';
  } catch (error) {
    if (error instanceof SpiffeIdError) return false;
    throw error;
  }
}
