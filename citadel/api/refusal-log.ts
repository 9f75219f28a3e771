/**
 * Every refusal as one log line and one count. A flood of the same code is thinned out in the log, never in the
 * metric; the next line tells how many were left out.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import type { Refusal, RefusalCode } from '../../shared/errors/refusal.ts';
import type { Log, LogFields } from '../../shared/log/log.ts';
import type { CitadelMetrics } from '../telemetry/citadel-metrics.ts';

const LINES_PER_SECOND = 20;
const BURST = 200;

interface Budget {
  left: number;
  filledAt: number;
  suppressed: number;
}

export class RefusalLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #metrics: CitadelMetrics;
  readonly #budgets = new Map<RefusalCode, Budget>();

  constructor(log: Log, clock: Clock, metrics: CitadelMetrics) {
    this.#log = log;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** @param event `certificate_refused`, `request_refused` … */
  note(event: string, refusal: Refusal, fields: LogFields): void {
    this.#metrics.refusals.inc([refusal.code]);
    const budget = this.#budgetOf(refusal.code);
    if (budget.left < 1) {
      budget.suppressed++;
      return;
    }
    budget.left -= 1;
    const { suppressed } = budget;
    budget.suppressed = 0;
    const { code, detail, status } = refusal;
    const line = { code, detail, ...fields, ...(suppressed > 0 ? { suppressed } : {}) };
    if (status >= 500 && status !== 503) this.#log.error(event, { ...line, cause: causeOf(refusal) });
    else this.#log.warn(event, line);
  }

  #budgetOf(code: RefusalCode): Budget {
    const now = this.#clock.monotonic();
    const budget = this.#budgets.get(code) ?? { left: BURST, filledAt: now, suppressed: 0 };
    budget.left = Math.min(BURST, budget.left + ((now - budget.filledAt) * LINES_PER_SECOND) / 1000);
    budget.filledAt = now;
    this.#budgets.set(code, budget);
    return budget;
  }
}

/** Where our own fault happened: names and lines of code only. */
function causeOf({ cause }: Refusal): string | undefined {
  return cause instanceof Error ? cause.stack?.split('\n').slice(1, 4).join(' ').replaceAll(/\s+/g, ' ') : undefined;
}
