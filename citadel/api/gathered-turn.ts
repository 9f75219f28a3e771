/**
 * Lets the requests that arrive in one turn of the event loop begin together, when all of them have been read. Code
 * and tables of one kind of work then stay in the processor's cache instead of taking turns with TLS and HTTP; that
 * is a tenth of the cost of a certificate. Nobody waits for a request that has not arrived: the wait is one turn.
 */
export class GatheredTurn {
  #next: Promise<void> | undefined;

  /** Resolves when the present turn has read what there was to read. */
  begin(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#next = undefined;
        resolve();
      });
    });
    return this.#next;
  }
}
