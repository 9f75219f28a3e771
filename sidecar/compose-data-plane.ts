/** The data plane in this thread, or in as many workers as the settings ask for. Wiring only. */
import { Worker } from 'node:worker_threads';
import type { Surroundings } from './compose.ts';
import { composeListeners, type TrafficCounters } from './compose-listeners.ts';
import type { SidecarSettings } from './config.ts';
import type { PublishedIdentity } from './identity/identity.ts';
import type { DataPlane } from './listeners/data-plane.ts';
import { DataPlaneMetrics } from './telemetry/data-plane-metrics.ts';
import { WorkerLink } from './workers/worker-link.ts';
import { WorkerPlane } from './workers/worker-plane.ts';

export interface DataPlaneWiring {
  readonly store: PublishedIdentity;
  readonly counters: TrafficCounters;
}

export function composeDataPlane(
  settings: SidecarSettings,
  around: Surroundings,
  { store, counters }: DataPlaneWiring,
): DataPlane {
  if (settings.workers === 1) return composeListeners(settings, around, { store, counters });
  const { refusals, handshakes } = counters;
  return new WorkerPlane({
    count: settings.workers,
    start: (worker, died) => new WorkerLink(startWorker(settings, worker), died),
    store,
    counted: [...new DataPlaneMetrics().all(), refusals, handshakes],
    log: around.log,
    // With a worker a share of the connections is gone, and only a new process makes that good: exitOnCrash ends this one.
    failed: (why) => {
      throw why;
    },
  });
}

function startWorker(settings: SidecarSettings, worker: number): Worker {
  // Sources have one ending, what was built from them the other.
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./worker-main.${ending}`, import.meta.url), {
    workerData: { settings, worker, isTerminal: process.stderr.isTTY === true },
    name: 'sidecar-worker',
  });
}
