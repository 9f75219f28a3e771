/**
 * What waits for more bytes of the same turn of the event loop, and is flushed at its end whether they came or not.
 * One immediate serves all of them. Not a microtask: those run between two records of one TLS read.
 */
export interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];

/** Calls `flush` once when everything that is ready in this turn has run. */
export function flushAtEndOfTurn(one: Flushable): void {
  if (waiting.push(one) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  const due = waiting;
  waiting = [];
  for (const one of due) one.flush();
}
