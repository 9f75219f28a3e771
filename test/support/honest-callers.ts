/**
 * Honest callers that go on asking for certificates while something hostile happens, and how long they waited. They
 * ask one after the other, each with the next request when the answer is there.
 */
import type { CitadelClient } from './citadel-client.ts';
import { freshCsr } from './citadel-process.ts';

export interface HonestReport {
  readonly answers: number;
  /** Status of every answer that was no certificate. */
  readonly refused: readonly number[];
  /** Milliseconds. */
  readonly slowest: number;
}

/** Asks until `work` is over, at least `least` times. */
export async function askMeanwhile<Result>(
  { client, token, least = 5 }: { client: CitadelClient; token: string; least?: number },
  work: () => Promise<Result>,
): Promise<{ result: Result; honest: HonestReport }> {
  let over = false;
  const working = work().finally(() => {
    over = true;
  });
  const refused: number[] = [];
  let answers = 0;
  let slowest = 0;
  const csr = freshCsr();
  while (!over || answers < least) {
    const asked = performance.now();
    const { status } = await client.certificate(token, csr);
    slowest = Math.max(slowest, performance.now() - asked);
    answers++;
    if (status !== 201) refused.push(status);
  }
  return { result: await working, honest: { answers, refused, slowest } };
}
