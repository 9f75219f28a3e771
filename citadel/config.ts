/**
 * Every setting of citadel with its default, its unit and its bounds. The docs table, the environment variables
 * and `--print-config` derive from it. It only describes: nothing is opened or read here.
 */
import { z } from 'zod';
import { withCrossCheck } from '../shared/config/cross-checks.ts';
import {
  address,
  choice,
  flag,
  hostName,
  logFormat,
  logLevel,
  pathSegment,
  text,
  trustDomain,
  url,
  whole,
} from '../shared/config/fields.ts';
import type { SettingsSpec } from '../shared/config/settings.ts';
import { checkSettings } from './config-rules.ts';

const api = z.strictObject({
  listen: address('Address of the API (HTTPS).', '0.0.0.0:15012').default('0.0.0.0:15012'),
  names: z
    .array(hostName())
    .min(1)
    .max(32)
    .default(['citadel.citadel-system.svc', 'citadel.citadel-system.svc.cluster.local', 'localhost', '127.0.0.1'])
    .meta({
      description: 'DNS names and IP addresses in the serving certificate: what sidecars have in `citadel.url`.',
    }),
  servingSeconds: whole(
    10,
    604_800,
    86_400,
    'Lifetime of the serving certificate, seconds. It is replaced at half of it.',
  ),
  spiffeNamespace: pathSegment('Namespace in the SPIFFE ID of citadel itself.').default('citadel-system'),
  spiffeServiceAccount: pathSegment('Service account in the SPIFFE ID of citadel itself.').default('citadel'),
});

const certificates = z.strictObject({
  defaultSeconds: whole(5, 2_592_000, 3600, 'Lifetime of a certificate when the caller asks for none, seconds.'),
  minSeconds: whole(5, 2_592_000, 300, 'Shortest lifetime a caller may ask for, seconds.'),
  maxSeconds: whole(5, 2_592_000, 86_400, 'Longest lifetime a caller may ask for, seconds.'),
  backdateSeconds: whole(0, 3600, 60, 'How far notBefore lies in the past, seconds: room for clocks that are late.'),
});

const oidc = z.strictObject({
  issuer: url(
    'Issuer of the service account tokens: what their `iss` claim must say. Required with mode oidc or both.',
  ).optional(),
  jwksUrl: url('Where the public keys of the issuer are. Default: what its discovery document says.').optional(),
  caFile: text('PEM file with the roots to trust for the issuer. Default: the roots of the system.').optional(),
  tokenFile: text(
    'File with a token to show to the issuer: an API server gives its keys to nobody unknown. Default: none is shown.',
  ).optional(),
  unsafeDevIssuer: flag(
    false,
    'Accept a development issuer, such as `citadel dev-issuer`, over plain HTTP. Anybody may have its tokens: never in production.',
  ),
});

const tokenReview = z.strictObject({
  url: url('URL of the Kubernetes API server. Default: the in-cluster one.').optional(),
  caFile: text('PEM file with the roots of the API server. Default: the in-cluster one.').optional(),
  tokenFile: text('File with the token of citadel for the API server. Default: the in-cluster one.').optional(),
  timeoutSeconds: whole(1, 60, 5, 'How long one TokenReview may take, seconds.'),
  concurrency: whole(1, 1000, 50, 'Most TokenReviews in flight.'),
  cacheSeconds: whole(0, 10, 10, 'How long a positive answer is kept, seconds: a deleted pod is noticed after it.'),
});

const attestation = z.strictObject({
  mode: choice(
    ['token-review', 'oidc', 'both'],
    'token-review',
    'How tokens are proved: by asking Kubernetes, offline by the keys of their issuer, or offline first and then by asking.',
  ),
  audience: text('The one audience a token must be for.').default('citadel'),
  maxTokenLifetimeSeconds: whole(60, 31_622_400, 86_400, 'Longest lifetime of a token, from iat to exp, seconds.'),
  leewaySeconds: whole(0, 300, 10, 'How far clocks may differ when the times of a token are checked, seconds.'),
  replay: choice(
    ['flag', 'refuse'],
    'flag',
    'What to do about a token seen again with another key from another address.',
  ),
  oidc: oidc.prefault({}),
  tokenReview: tokenReview.prefault({}),
});

const limits = z.strictObject({
  bodyBytes: whole(1024, 1_048_576, 32_768, 'Largest request body, bytes.'),
  headerBytes: whole(
    12_288,
    131_072,
    16_384,
    'Largest request header, bytes: a token of 8 KiB and the other fields fit.',
  ),
  headerCount: whole(10, 1000, 64, 'Most header fields in a request.'),
  connections: whole(1, 1_000_000, 5000, 'Most connections; the next ones are answered with `overloaded`.'),
  concurrentRequests: whole(1, 100_000, 256, 'Most requests in flight, watch streams not counted.'),
  handshakeSeconds: whole(1, 120, 5, 'How long a TLS handshake may take, seconds.'),
  headerSeconds: whole(1, 120, 5, 'How long a request header may take to arrive, seconds.'),
  requestSeconds: whole(1, 300, 10, 'How long a request may take to arrive, and then to be answered, seconds.'),
  idleSeconds: whole(1, 3600, 60, 'How long a connection may stay without a request, seconds.'),
  watchers: whole(1, 1_000_000, 10_000, 'Most watch streams.'),
  watchQueueBytes: whole(
    16_384,
    16_777_216,
    262_144,
    'Most bytes that may wait for a slow watcher before it is cut off.',
  ),
  requestsPerSecondPerPod: z
    .number()
    .positive()
    .max(10_000)
    .default(5)
    .meta({ description: 'Requests per second that one pod may make in the long run.' }),
  requestBurstPerPod: whole(1, 100_000, 20, 'Requests that one pod may make at once.'),
  drainSeconds: whole(
    0,
    3600,
    30,
    'How long requests in flight may take once the API has stopped listening, seconds. Keep it, with shutdown.announceSeconds, below terminationGracePeriodSeconds.',
  ),
});

const shutdown = z.strictObject({
  announceSeconds: whole(
    0,
    300,
    2,
    'How long /readyz says no before the API stops listening after SIGTERM, seconds: callers find another replica meanwhile. A second signal skips it.',
  ),
});

const single = z.strictObject({
  trustDomain: trustDomain('Name of the trust domain: the first part of every SPIFFE ID issued here.').default(
    'cluster.local',
  ),
  api: api.prefault({}),
  health: z
    .strictObject({
      listen: address('Address of /healthz, /readyz and /metrics (plain HTTP).', '0.0.0.0:15014').default(
        '0.0.0.0:15014',
      ),
    })
    .prefault({}),
  authority: z
    .strictObject({
      directory: text('Folder of the authority. Created with a new root when it is empty.').default(
        '/var/lib/citadel/authority',
      ),
    })
    .prefault({}),
  journal: z
    .strictObject({
      file: text('SQLite file of the issuance journal. Every certificate is recorded there before it leaves.').default(
        '/var/lib/citadel/journal.sqlite',
      ),
    })
    .prefault({}),
  certificates: certificates.prefault({}),
  attestation: attestation.prefault({}),
  limits: limits.prefault({}),
  shutdown: shutdown.prefault({}),
  log: z
    .strictObject({
      level: logLevel('Least level that is logged. Read again on SIGHUP.'),
      format: logFormat(),
    })
    .prefault({}),
});

export type CitadelSettings = z.output<typeof single>;

const schema = withCrossCheck(single, checkSettings);

export const CITADEL_SETTINGS: SettingsSpec<typeof schema> = { prefix: 'CITADEL', schema };
