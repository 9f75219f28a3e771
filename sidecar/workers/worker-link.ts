/**
 * The main thread's side of one worker: questions with answers, and its end. A worker that dies takes its
 * connections with it, so its death is told and never hidden. It decides nothing.
 */
import type { Worker } from 'node:worker_threads';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Answers, FromWorker, Question, ToWorker } from './messages.ts';

interface Asked {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Refusal) => void;
}

export class WorkerLink {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Asked>();
  #nextId = 1;
  #over: Refusal | undefined;

  /** @param died told once, unless it was closed */
  constructor(worker: Worker, died: (why: Refusal) => void) {
    this.#worker = worker;
    worker.on('message', (message: FromWorker) => this.#answered(message));
    worker.on('error', (cause) => this.#ended(new Refusal('worker_failed', { detail: String(cause), cause }), died));
    worker.on('exit', (code) => this.#ended(new Refusal('worker_failed', `ended with ${code}`), died));
  }

  /** @throws {Refusal} what the worker refused, worker_failed */
  ask<About extends Question['about']>(question: Question & { about: About }): Promise<Answers[About]> {
    if (this.#over) return Promise.reject(this.#over);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.tell({ kind: 'ask', id, ...question });
    });
  }

  tell(message: ToWorker): void {
    if (!this.#over) this.#worker.postMessage(message);
  }

  /** Its ports and connections go with it. */
  close(): void {
    this.tell({ kind: 'close' });
    this.#ended(new Refusal('worker_failed', 'closed'), () => {});
    void this.#worker.terminate();
  }

  #answered(message: FromWorker): void {
    const asked = this.#asked.get(message.id);
    this.#asked.delete(message.id);
    if (message.kind === 'answer') asked?.resolve(message.value as never);
    else asked?.reject(new Refusal(message.code, message.detail));
  }

  #ended(why: Refusal, died: (why: Refusal) => void): void {
    if (this.#over) return;
    this.#over = why;
    for (const { reject } of this.#asked.values()) reject(why);
    this.#asked.clear();
    died(why);
  }
}
