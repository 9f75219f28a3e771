/**
 * Which pod has which bundle version in use. A pod may acknowledge only what was sent to it, so that a claim
 * about a version means that the pod received it. Bounded: when full, the pod that has been away longest is
 * forgotten first. It sends nothing and decides nothing; a rotation of the root waits for it.
 */
import { Refusal } from '../../shared/errors/refusal.ts';

interface PodRecord {
  /** Versions sent but not acknowledged, oldest first; bounded. */
  open: number[];
  acknowledged: number;
  streams: number;
  /** Milliseconds since the epoch: without a stream, forgotten then. */
  keepUntil: number;
}

export interface Acknowledged {
  /** UIDs of the pods that have this version or a newer one in use. */
  readonly by: readonly string[];
  /** UIDs of the pods that do not. */
  readonly missing: readonly string[];
}

/** Versions begin at 1: nothing is in use yet. */
const NONE = 0;
const MOST_OPEN = 16;

export class Acknowledgements {
  readonly #most: number;
  /** In the order in which pods were last seen. */
  readonly #pods = new Map<string, PodRecord>();

  constructor(mostPods: number) {
    this.#most = mostPods;
  }

  /** A watch stream of the pod begins. @param keepUntil when its token expires: it cannot acknowledge after that */
  joined(podUid: string, keepUntil: number): void {
    const record = this.#pods.get(podUid) ?? { open: [], acknowledged: NONE, streams: 0, keepUntil: 0 };
    record.streams++;
    record.keepUntil = Math.max(record.keepUntil, keepUntil);
    this.#pods.delete(podUid);
    this.#pods.set(podUid, record);
    if (this.#pods.size > this.#most) this.#forgetOne();
  }

  left(podUid: string): void {
    const record = this.#pods.get(podUid);
    if (record) record.streams--;
  }

  sent(podUid: string, version: number): void {
    const record = this.#pods.get(podUid);
    if (!record || version <= record.acknowledged || record.open.includes(version)) return;
    record.open.push(version);
    if (record.open.length > MOST_OPEN) record.open.shift();
  }

  /** @throws {Refusal} acknowledgement_unknown when this version was never sent to this pod */
  acknowledge(podUid: string, version: number): void {
    const record = this.#pods.get(podUid);
    if (version !== NONE && version === record?.acknowledged) return;
    if (!record?.open.includes(version))
      throw new Refusal('acknowledgement_unknown', `version ${version} was not sent to this pod`);
    record.acknowledged = Math.max(record.acknowledged, version);
    record.open = record.open.filter((sent) => sent > version);
  }

  acknowledgedBy(version: number, now: number): Acknowledged {
    this.#forgetGone(now);
    const by: string[] = [];
    const missing: string[] = [];
    for (const [podUid, { acknowledged }] of this.#pods) (acknowledged >= version ? by : missing).push(podUid);
    return { by, missing };
  }

  /** Lowest version in use among the pods that watch now; undefined when none does. */
  lowest(now: number): number | undefined {
    this.#forgetGone(now);
    let lowest: number | undefined;
    for (const { acknowledged, streams } of this.#pods.values()) {
      if (streams > 0) lowest = Math.min(lowest ?? acknowledged, acknowledged);
    }
    return lowest;
  }

  #forgetGone(now: number): void {
    for (const [podUid, { streams, keepUntil }] of this.#pods) {
      if (streams === 0 && keepUntil <= now) this.#pods.delete(podUid);
    }
  }

  #forgetOne(): void {
    for (const [podUid, { streams }] of this.#pods) {
      if (streams === 0) return void this.#pods.delete(podUid);
    }
  }
}
