/**
 * One worker of a sidecar with `--workers`: the data plane and nothing else. Identity comes from the main thread;
 * signals, probes and pages are its business. It ends when it is told to, or with the process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock, systemRandomness } from '../shared/clock/clock.ts';
import { asRefusal } from '../shared/errors/refusal.ts';
import { createLog } from '../shared/log/log.ts';
import type { Metric } from '../shared/metrics/metrics.ts';
import { composeListeners } from './compose-listeners.ts';
import type { SidecarSettings } from './config.ts';
import type { BoundPorts } from './listeners/data-plane.ts';
import { IdentityMetrics } from './telemetry/identity-metrics.ts';
import type { Answers, FromWorker, Question, ToWorker } from './workers/messages.ts';
import { MirroredIdentity } from './workers/mirrored-identity.ts';
import { onBoundPorts } from './workers/same-ports.ts';
import { STANDARD_ERROR, writeWhole } from './workers/write-whole.ts';

const { settings, worker, isTerminal } = workerData as {
  settings: SidecarSettings;
  worker: number;
  isTerminal: boolean;
};
const port = parentPort!;
// Straight to the descriptor: the stream of a worker goes through the main thread, and a line would wait for it.
const out = { write: (line: string) => writeWhole(STANDARD_ERROR, line), isTTY: isTerminal };
const { setLevel, child } = createLog({ program: 'sidecar', ...settings.log, out });
const log = { ...child({ worker }), setLevel };
const around = { clock: systemClock, randomness: systemRandomness, log };
const store = new MirroredIdentity(systemClock, log);
const { refusals, handshakes } = new IdentityMetrics('');
const counters = { refusals, handshakes };
let plane = composeListeners(settings, around, { store, counters });

port.on('message', (message: ToWorker) => {
  if (message.kind === 'identity') store.take(message.identity, message.trust);
  else if (message.kind === 'log level') log.setLevel(message.level);
  else if (message.kind === 'close') plane.close();
  else void answer(message.id, message);
});

async function answer(id: number, question: Question): Promise<void> {
  try {
    tell({ kind: 'answer', id, value: await answerTo(question) });
  } catch (error) {
    const { code, detail } = asRefusal(error, 'internal_failure');
    tell({ kind: 'refused', id, code, detail });
  }
}

function answerTo(question: Question): Promise<Answers[keyof Answers]> {
  switch (question.about) {
    case 'open':
      return open(question.ports);
    case 'samples':
      return Promise.resolve(samplesOf([...plane.metrics, refusals, handshakes]));
    case 'connections':
      return plane.connections();
    case 'drain':
      return plane.drain(question.seconds);
  }
}

/** @param ports those of the first worker: what it got for a port 0, the others open too */
function open(ports: BoundPorts | undefined): Promise<BoundPorts> {
  if (ports) {
    plane.close();
    plane = composeListeners(onBoundPorts(settings, ports), around, { store, counters });
  }
  return plane.open();
}

function samplesOf(metrics: readonly Metric[]): Answers['samples'] {
  return Object.fromEntries(metrics.map((metric) => [metric.name, metric.samples()]));
}

function tell(message: FromWorker): void {
  port.postMessage(message);
}
