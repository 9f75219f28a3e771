/** Steady honest traffic through web's app, counted. Every answer must have passed all three services. */

export interface Traffic {
  readonly sent: number;
  readonly failed: number;
  /** What went wrong the first time, if anything did. */
  readonly firstFailure: string | undefined;
  /** Who saw whom, from the first good answer: `orders saw spiffe://…/web`. */
  readonly callers: readonly string[];
  stop(): Promise<void>;
}

interface ServiceAnswer {
  readonly service: string;
  readonly caller: string;
  readonly next?: ServiceAnswer;
}

export function startTraffic(url: string, perSecond: number, hops: number): Traffic {
  const inFlight = new Set<Promise<void>>();
  const state = { sent: 0, failed: 0, firstFailure: undefined as string | undefined, callers: [] as string[] };
  const one = async (): Promise<void> => {
    state.sent++;
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      const chain = servicesIn((await answer.json()) as ServiceAnswer);
      if (answer.status !== 200 || chain.length !== hops)
        throw new Error(`status ${answer.status} from ${chain.length} services`);
      if (state.callers.length === 0)
        state.callers = chain.slice(1).map(({ service, caller }) => `${service} saw ${caller}`);
    } catch (error) {
      state.failed++;
      state.firstFailure ??= error instanceof Error ? error.message : String(error);
    }
  };
  const timer = setInterval(() => {
    const request = one().finally(() => inFlight.delete(request));
    inFlight.add(request);
  }, 1000 / perSecond);
  return {
    get sent() {
      return state.sent;
    },
    get failed() {
      return state.failed;
    },
    get firstFailure() {
      return state.firstFailure;
    },
    get callers() {
      return state.callers;
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(inFlight);
    },
  };
}

function servicesIn(answer: ServiceAnswer | undefined): ServiceAnswer[] {
  return typeof answer === 'object' && answer !== null ? [answer, ...servicesIn(answer.next)] : [];
}
