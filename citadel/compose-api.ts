/** The API over the parts: the issuing pipeline, the four calls, and the server in front of them. Wiring only. */
import { Refusal } from '../shared/errors/refusal.ts';
import { AcknowledgementCall } from './api/acknowledgement-call.ts';
import { ApiServer } from './api/api-server.ts';
import { BundleCall } from './api/bundle-call.ts';
import { CallTable } from './api/calls.ts';
import { CertificateCall } from './api/certificate-call.ts';
import { RateLimiter } from './api/rate-limiter.ts';
import { RefusalLog } from './api/refusal-log.ts';
import { WatchCall } from './api/watch-call.ts';
import type { Attested } from './attest/attestor.ts';
import { ReplayWindow, type Sighting } from './attest/replay-window.ts';
import type { Parts, Surroundings } from './compose.ts';
import type { CitadelSettings } from './config.ts';
import { type IssuingSteps, issueCertificate } from './issue-certificate.ts';

type Authenticate = (token: string, signal: AbortSignal) => Promise<Attested>;

export function composeApi(settings: CitadelSettings, around: Surroundings, parts: Parts): ApiServer {
  const { clock, randomness, log } = around;
  const { metrics, serving } = parts;
  return new ApiServer({
    calls: composeCalls(settings, around, parts),
    material: serving.issue(),
    limits: settings.limits,
    clock,
    randomness,
    log,
    metrics,
    refusals: new RefusalLog(log, clock, metrics),
  });
}

function composeCalls(settings: CitadelSettings, around: Surroundings, parts: Parts): CallTable {
  const { clock, log } = around;
  const { metrics, watchers, admission, keeper } = parts;
  const authenticate = composeAuthenticate(settings, around, parts);
  const steps = composeSteps(settings, around, parts, authenticate);
  const common = { watchers, admission, authenticate, mostBodyBytes: settings.limits.bodyBytes, clock, log, metrics };
  const certificates = new CertificateCall({
    ...common,
    issue: (wish, signal) => issueCertificate(steps, wish, signal),
  });
  return new CallTable([
    { path: '/v1/certificates', method: 'POST', call: certificates },
    { path: '/v1/bundle', method: 'GET', call: new BundleCall(() => keeper.current().bundle) },
    { path: '/v1/watch', method: 'GET', call: new WatchCall(common) },
    { path: '/v1/acknowledgements', method: 'POST', call: new AcknowledgementCall(common) },
  ]);
}

/** Who it is, and whether that pod has asked too often: only a proved pod has a bucket, so nobody empties another's. */
function composeAuthenticate(
  { limits }: CitadelSettings,
  { clock }: Surroundings,
  { attestation }: Parts,
): Authenticate {
  const { requestsPerSecondPerPod, requestBurstPerPod } = limits;
  const limiter = new RateLimiter(clock, { perSecond: requestsPerSecondPerPod, burst: requestBurstPerPod });
  return async (token, signal) => {
    const attested = await attestation.attestor.attest(token, signal);
    limiter.take(attested.podUid);
    return attested;
  };
}

function composeSteps(
  settings: CitadelSettings,
  around: Surroundings,
  parts: Parts,
  attest: Authenticate,
): IssuingSteps {
  const { keeper, journal } = parts;
  return {
    clock: around.clock,
    policy: { trustDomain: settings.trustDomain, ...settings.certificates },
    attest,
    noticeUse: composeReplayWatch(settings, around, parts),
    authority: () => keeper.current(),
    record: (entry) => journal.append(entry),
  };
}

/** A replay is always logged and counted, and refused only when the operator wants that. */
function composeReplayWatch(
  settings: CitadelSettings,
  { clock, log }: Surroundings,
  { metrics }: Parts,
): (sighting: Sighting) => void {
  const window = new ReplayWindow({ clock });
  const refuses = settings.attestation.replay === 'refuse';
  return (sighting) => {
    const verdict = window.see(sighting);
    if (verdict === 'new' || verdict === 'known') return;
    const { tokenId, podUid, spiffeId, keyFingerprint, address } = sighting;
    metrics.replays.inc([verdict]);
    log.warn('replay_suspected', {
      kind: verdict,
      refused: refuses,
      tokenId,
      podUid,
      spiffeId,
      keyFingerprint,
      address,
    });
    if (refuses) throw new Refusal(verdict, `token ${tokenId} of pod ${podUid} from ${address}`);
  };
}
