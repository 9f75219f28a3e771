/**
 * The one place that knows which implementation stands behind which step, and in which order things start and
 * stop. It holds no rules: what it wires is decided by the settings.
 */
import { readVersion } from '../shared/cli/version.ts';
import type { Clock, Randomness } from '../shared/clock/clock.ts';
import type { Log } from '../shared/log/log.ts';
import { Announcement } from '../shared/process/announcement.ts';
import { workloadId } from '../shared/spiffe/spiffe-id.ts';
import { Admission } from './api/admission.ts';
import type { ApiServer } from './api/api-server.ts';
import { ServingCertificate } from './api/serving-certificate.ts';
import type { AuthorityKeeper } from './authority/authority-keeper.ts';
import { openAuthority } from './authority/open-authority.ts';
import { composeApi } from './compose-api.ts';
import { type Attestation, composeAttestation } from './compose-attestation.ts';
import { composeHealth } from './compose-health.ts';
import type { CitadelSettings } from './config.ts';
import { BundleWatchers } from './distribute/bundle-watchers.ts';
import { type Journal, openJournal } from './ledger/journal.ts';
import { type CitadelMetrics, createCitadelMetrics } from './telemetry/citadel-metrics.ts';

export interface Surroundings {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

/** What a running citadel is made of. */
export interface Parts {
  readonly metrics: CitadelMetrics;
  readonly attestation: Attestation;
  readonly keeper: AuthorityKeeper;
  readonly journal: Journal;
  readonly watchers: BundleWatchers;
  readonly serving: ServingCertificate;
  readonly admission: Admission;
}

export interface Citadel {
  readonly apiPort: number;
  readonly healthPort: number;
  /** Looks at once whether the files of the authority were exchanged. */
  reload(): void;
  /** Announces the end, then finishes what is in flight. @returns false when connections had to be cut */
  stop(): Promise<boolean>;
  /** Skips the rest of the announcement. @returns false when there is none */
  hurry(): boolean;
}

/** Resolves when requests are answered; readiness may come later. @throws {Refusal} when it cannot start */
export async function startCitadel(settings: CitadelSettings, around: Surroundings): Promise<Citadel> {
  await using opened = new AsyncDisposableStack();
  const parts = await openParts(settings, around, opened);
  const api = composeApi(settings, around, parts);
  const { health, readiness } = composeHealth(parts, api, around);
  opened.defer(() => health.close());
  opened.defer(async () => void (await api.drain(0)));
  const apiAddress = await api.listen(settings.api.listen);
  const healthAddress = await health.listen(settings.health.listen);
  startMoving(parts, api, opened);
  const { trustDomain, attestation } = settings;
  around.log.info('started', { api: apiAddress, health: healthAddress, trustDomain, attestation: attestation.mode });
  const running = opened.move();
  const announcement = new Announcement(around.clock);
  return {
    apiPort: apiAddress.port,
    healthPort: healthAddress.port,
    reload: () => void parts.keeper.check(),
    async stop() {
      readiness.drain();
      await announcement.hold(settings.shutdown.announceSeconds * 1000);
      around.log.info('draining', { drainSeconds: settings.limits.drainSeconds });
      parts.watchers.drain();
      const clean = await api.drain(settings.limits.drainSeconds * 1000);
      await running.disposeAsync();
      return clean;
    },
    hurry: () => announcement.skip(),
  };
}

/** In the order in which they need each other; `opened` ends them in the opposite order. */
async function openParts(
  settings: CitadelSettings,
  around: Surroundings,
  opened: AsyncDisposableStack,
): Promise<Parts> {
  const metrics = createCitadelMetrics(readVersion());
  const attestation = await composeAttestation(settings.attestation, { ...around, metrics });
  opened.defer(() => attestation.attestor.close());
  const keeper = await openAuthority({
    ...around,
    directory: settings.authority.directory,
    trustDomain: settings.trustDomain,
    onEvent: (event) => metrics.authorityEvents.inc([event]),
  });
  opened.defer(() => keeper.close());
  const journal = openMeasuredJournal(settings, around, metrics);
  opened.defer(() => journal.close());
  const serving = composeServing(settings, around, keeper);
  opened.defer(() => serving.close());
  const { watchers: mostWatchers, watchQueueBytes, concurrentRequests, requestSeconds } = settings.limits;
  const watchers = new BundleWatchers({
    clock: around.clock,
    bundle: keeper.current().bundle,
    mostWatchers,
    mostQueuedBytes: watchQueueBytes,
    onEnd: (why) => metrics.watchersEnded.inc([why]),
  });
  const admission = new Admission(around.clock, { concurrent: concurrentRequests, answerMs: requestSeconds * 1000 });
  return { metrics, attestation, keeper, journal, watchers, serving, admission };
}

/** What goes on by itself from now on: keys, permissions, renewals, news for the watchers. */
function startMoving(
  { attestation, keeper, serving, watchers }: Parts,
  api: ApiServer,
  opened: AsyncDisposableStack,
): void {
  const stopping = new AbortController();
  opened.defer(() => stopping.abort());
  attestation.start(stopping.signal);
  serving.start((material) => api.use(material));
  keeper.onChange(({ bundle }) => {
    serving.renew();
    void watchers.publish(bundle);
  });
  keeper.start();
}

function openMeasuredJournal(
  { journal }: CitadelSettings,
  { log, clock }: Surroundings,
  metrics: CitadelMetrics,
): Journal {
  const groupSize = metrics.journalGroupSize.series([]);
  const commitSeconds = metrics.journalCommitSeconds.series([]);
  const written = metrics.journalEntries.series([]);
  return openJournal({
    file: journal.file,
    log,
    clock,
    onGroup({ entries, milliseconds }) {
      written.value += entries;
      groupSize.observe(entries);
      commitSeconds.observe(milliseconds / 1000);
    },
  });
}

function composeServing(settings: CitadelSettings, around: Surroundings, keeper: AuthorityKeeper): ServingCertificate {
  const { names, servingSeconds, spiffeNamespace, spiffeServiceAccount } = settings.api;
  return new ServingCertificate({
    ...around,
    authority: () => keeper.current(),
    spiffeId: workloadId(settings.trustDomain, spiffeNamespace, spiffeServiceAccount).uri,
    names,
    seconds: servingSeconds,
    backdateSeconds: settings.certificates.backdateSeconds,
  });
}
