/**
 * When an endpoint that keeps failing is left alone, and for how long. Pure: a record and a moment in, a record
 * out. What counts as a failure is decided by who saw it: no connection, or an answer that says the server is
 * broken. It never leaves a destination without any endpoint: that is `mayEject`.
 */

export interface OutlierRules {
  /** Failures in a row. */
  readonly failures: number;
  /** Of the first ejection, milliseconds; each further one in a row is as much longer. */
  readonly ejectionMs: number;
  readonly longestMs: number;
  /** Of a destination's endpoints that may be out at the same time, 0 to 1. */
  readonly mostShare: number;
}

export interface OutlierRecord {
  readonly failuresInRow: number;
  /** Ejections without a success between them. */
  readonly ejections: number;
  /** Monotonic milliseconds; 0 when it is not ejected. */
  readonly outUntil: number;
}

export const UNBLEMISHED: OutlierRecord = { failuresInRow: 0, ejections: 0, outUntil: 0 };

export function isOut(record: OutlierRecord, now: number): boolean {
  return record.outUntil > now;
}

export function afterSuccess(record: OutlierRecord): OutlierRecord {
  return record === UNBLEMISHED || isClean(record) ? record : UNBLEMISHED;
}

/** @param mayEject whether enough others are left */
export function afterFailure(
  record: OutlierRecord,
  now: number,
  rules: OutlierRules,
  mayEject: boolean,
): OutlierRecord {
  const failuresInRow = record.failuresInRow + 1;
  if (failuresInRow < rules.failures || !mayEject || isOut(record, now)) return { ...record, failuresInRow };
  const ejections = record.ejections + 1;
  const wait = Math.min(rules.ejectionMs * ejections, rules.longestMs);
  // It comes back on probation: one more failure is enough to send it away again.
  return { failuresInRow: rules.failures - 1, ejections, outUntil: now + wait };
}

/** @param out how many of `all` are ejected now */
export function mayEject(out: number, all: number, { mostShare }: OutlierRules): boolean {
  return all > 1 && out + 1 <= Math.floor(all * mostShare);
}

function isClean({ failuresInRow, ejections }: OutlierRecord): boolean {
  return failuresInRow === 0 && ejections === 0;
}
