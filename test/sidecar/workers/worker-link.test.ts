/** Questions to a thread are answered or refused, each by its own answer; and a thread that dies is never missed. */
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { expect } from 'chai';
import type { Refusal } from '../../../shared/errors/refusal.ts';
import { WorkerLink } from '../../../sidecar/workers/worker-link.ts';
import { refusalOf } from '../../support/refusals.ts';
import { until } from '../../support/until.ts';

/** Answers questions about samples in the order that it is told to, refuses those about `drain`, and keeps `open`. */
const WORKER = `
const { parentPort } = require('node:worker_threads');
const held = [];
parentPort.on('message', (message) => {
  if (message.about === 'samples') held.push(message.id);
  if (message.about === 'drain') parentPort.postMessage({ kind: 'refused', id: message.id, code: 'draining', detail: 'no' });
  if (message.about !== 'connections') return;
  for (const id of held.splice(0).reverse()) parentPort.postMessage({ kind: 'answer', id, value: { id: [] } });
  parentPort.postMessage({ kind: 'answer', id: message.id, value: [] });
});`;

const THROWS = `require('node:worker_threads').parentPort.once('message', () => { throw new TypeError('broken') })`;
const EXITS = `require('node:worker_threads').parentPort.once('message', () => process.exit(3))`;
const GREEDY = `require('node:worker_threads').parentPort.once('message', () => {
  const all = [];
  for (;;) all.push(Array.from({ length: 1e5 }, (_, at) => ({ at })));
})`;

function linked(code: string, options: WorkerOptions = {}) {
  const worker = new Worker(code, { eval: true, stderr: true, ...options });
  const deaths: Refusal[] = [];
  return { worker, deaths, link: new WorkerLink(worker, (why) => void deaths.push(why)) };
}

const ended = (worker: Worker) => until('it has ended', () => worker.threadId === -1);

describe('the link to a worker', () => {
  it('gives each question its own answer, in whatever order they come, and its own refusal', async () => {
    const { link, worker, deaths } = linked(WORKER);
    const order: number[] = [];
    const asked = [1, 2, 3].map((at) => link.ask({ about: 'samples' }).then(() => order.push(at)));
    const refused = refusalOf(link.ask({ about: 'drain', seconds: 1 }));
    expect(await link.ask({ about: 'connections' })).to.deep.equal([]);
    await Promise.all(asked);
    expect(order).to.deep.equal([3, 2, 1]);
    expect(await refused).to.include({ code: 'draining', detail: 'no' });
    link.close();
    await ended(worker);
    expect(deaths).to.deep.equal([]);
  });

  const ends: readonly (readonly [string, string, WorkerOptions, RegExp])[] = [
    ['throws', THROWS, {}, /TypeError: broken/],
    ['exits', EXITS, {}, /3/],
    ['has used up its memory', GREEDY, { resourceLimits: { maxOldGenerationSizeMb: 8 } }, /memory/i],
  ];
  for (const [how, code, options, detail] of ends) {
    it(`tells once of a worker that ${how}, and refuses what was asked and what is asked then`, async () => {
      const { link, worker, deaths } = linked(code, options);
      const asked = [link.ask({ about: 'connections' }), link.ask({ about: 'samples' })].map((one) => refusalOf(one));
      for (const refusal of await Promise.all(asked)) expect(refusal.code).to.equal('worker_failed');
      await ended(worker);
      expect(deaths).to.have.length(1);
      expect(deaths[0]!.detail).to.match(detail);
      expect((await refusalOf(link.ask({ about: 'samples' }))).code).to.equal('worker_failed');
      link.tell({ kind: 'log level', level: 'info' });
      link.close();
      expect(deaths).to.have.length(1);
    });
  }

  it('refuses what is still asked when it is closed, and calls that no death', async () => {
    const { link, worker, deaths } = linked(WORKER);
    const asked = refusalOf(link.ask({ about: 'samples' }));
    link.close();
    expect(await asked).to.include({ code: 'worker_failed', detail: 'closed' });
    await ended(worker);
    expect(deaths).to.deep.equal([]);
  });
});
