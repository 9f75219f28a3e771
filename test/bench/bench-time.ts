/** How a run of the hop fits into the minutes it may take: shorter runs, then fewer loads. Pure. */
import { fits, type Load, titleOf } from './load.ts';
import type { Variant } from './variant.ts';

export interface Plan {
  readonly variants: readonly Pick<Variant, 'relay'>[];
  readonly loads: readonly Load[];
  readonly idle: readonly number[];
  readonly rounds: number;
}

export interface Fitting {
  /** Of one run. */
  readonly seconds: number;
  readonly loads: readonly Load[];
  /** What was left out so that it fits. */
  readonly leftOut: readonly string[];
}

export const WARM_UP_SECONDS = 1;
/** Starting it all, a compile included. */
const START_SECONDS = 15;
/** Start and end of the load's own program. */
const AROUND_A_RUN_SECONDS = 0.2;
const IDLE_ROW_SECONDS = 6;

/** Seconds that the hop will take. */
export function estimate({ variants, loads, idle, rounds }: Plan, seconds: number): number {
  const ofLoads = loads.map((load) => {
    const runs = rounds * (secondsOf(load, seconds) + AROUND_A_RUN_SECONDS);
    return (runs + WARM_UP_SECONDS + AROUND_A_RUN_SECONDS) * variants.filter((variant) => fits(load, variant)).length;
  });
  const ofIdle = idle.length > 0 ? IDLE_ROW_SECONDS * variants.filter(({ relay }) => relay === 'tcp').length : 0;
  return START_SECONDS + ofIdle + ofLoads.reduce((sum, one) => sum + one, 0);
}

/** Handshakes are alike: a second shows their cost. */
export function secondsOf({ kind }: Load, seconds: number): number {
  return kind === 'handshakes' ? Math.min(1, seconds) : seconds;
}

/** Runs of 3 s or 2 s; then without the loads that no goal asks for; then runs of 1 s. */
export function fitInto(minutes: number, plan: Plan, asked: number | undefined): Fitting {
  const loads = [...plan.loads];
  const leftOut: string[] = [];
  if (asked !== undefined) return { seconds: asked, loads, leftOut };
  const spare = loads.filter(({ kind, connections }) => kind === '64k' && (connections === 1 || connections === 256));
  for (;;) {
    const seconds = [3, 2].find((one) => estimate({ ...plan, loads }, one) <= minutes * 60);
    if (seconds !== undefined) return { seconds, loads, leftOut };
    const dropped = spare.pop();
    if (!dropped) return { seconds: 1, loads, leftOut };
    loads.splice(loads.indexOf(dropped), 1);
    leftOut.push(titleOf(dropped));
  }
}
