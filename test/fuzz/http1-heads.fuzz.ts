/**
 * Fuzzes the reader of HTTP/1.1 heads and chunks against Node's parser: whatever it takes, Node takes and reads alike.
 * `node test/fuzz/http1-heads.fuzz.ts [messages] [seed]` prints what it refuses and Node takes, by reason.
 */
import { AMBIGUOUS, UNAMBIGUOUS } from '../support/hostile-requests.ts';
import { Chance } from './chance.ts';
import { compare } from './compare.ts';
import { answerText, chunkedText, requestText, SENTINEL } from './grammar.ts';
import { damaged } from './mutation.ts';
import { NodeServerReader, readAnswerWithNode } from './node-reader.ts';
import type { Reading } from './reading.ts';
import { readAnswer, readRequests } from './strict-reader.ts';

export interface FuzzOutcome {
  /** How many messages, and how many of them the strict reader took whole. */
  readonly messages: number;
  readonly taken: number;
  /** Refused here and taken by Node, by reason, with the shortest example. */
  readonly stricter: ReadonlyMap<string, Stricter>;
  /** The first one that was read otherwise, with all that is needed to see it again. */
  readonly fault: string | undefined;
}

export interface Stricter {
  readonly times: number;
  readonly example: string;
}

const AT_ONCE = 64;
const SHAPES: readonly string[] = [...Object.values(AMBIGUOUS), ...Object.values(UNAMBIGUOUS).map(({ sent }) => sent)];

interface Trial {
  readonly text: string;
  readonly read: (bytes: Buffer, pieces?: readonly Buffer[]) => Reading;
  readonly readWithNode: (bytes: Buffer) => Promise<Reading>;
}

/** Each message has a seed of its own, so that one can be repeated without those before it. */
export async function fuzzRequests(count: number, seed: number): Promise<FuzzOutcome> {
  using node = new NodeServerReader();
  return await fuzz(count, seed, (chance) => {
    const text = chance.holds(0.15) ? chance.of(SHAPES) + SENTINEL : requestText(chance);
    return {
      text: chance.holds(0.5) ? damaged(text, chance) : text,
      read: readRequests,
      readWithNode: (bytes) => node.read(bytes),
    };
  });
}

export function fuzzAnswers(count: number, seed: number): Promise<FuzzOutcome> {
  return fuzz(count, seed, (chance) => {
    const method = chance.holds(0.8) ? 'GET' : 'HEAD';
    const text = answerText(chance);
    return {
      text: chance.holds(0.5) ? damaged(text, chance) : text,
      read: (bytes, pieces) => readAnswer(bytes, method, pieces),
      readWithNode: (bytes) => readAnswerWithNode(bytes, method),
    };
  });
}

/** A good head, and the damage in the body alone. */
export async function fuzzChunks(count: number, seed: number): Promise<FuzzOutcome> {
  using node = new NodeServerReader();
  return await fuzz(count, seed, (chance) => {
    const body = chunkedText(chance) + SENTINEL;
    return {
      text: `POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chance.holds(0.8) ? damaged(body, chance) : body}`,
      read: readRequests,
      readWithNode: (bytes) => node.read(bytes),
    };
  });
}

async function fuzz(count: number, seed: number, trialOf: (chance: Chance) => Trial): Promise<FuzzOutcome> {
  const stricter = new Map<string, Stricter>();
  let taken = 0;
  let fault: string | undefined;
  const one = async (own: number): Promise<void> => {
    const chance = new Chance(own);
    const { text, read, readWithNode } = trialOf(chance);
    const bytes = Buffer.from(text, 'latin1');
    const strict = read(bytes);
    if (strict.messages.some(({ whole }) => whole)) taken++;
    const compared = compare(strict, await readWithNode(bytes));
    if (compared.stricter !== undefined) noteStricter(stricter, compared.stricter, text);
    const split = compareSplit(strict, read(bytes, piecesOf(bytes, chance)));
    const found = compared.fault ?? split;
    if (found !== undefined) fault ??= `seed ${own}: ${found}\n${JSON.stringify(text)}`;
  };
  let at = 0;
  for (; at < count && fault === undefined; at += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, more) => one(seed + at + more)));
  }
  return { messages: Math.min(at, count), taken, stricter, fault };
}

function noteStricter(stricter: Map<string, Stricter>, reason: string, text: string): void {
  const { times, example } = stricter.get(reason) ?? { times: 0, example: text };
  stricter.set(reason, { times: times + 1, example: text.length < example.length ? text : example });
}

/** The same bytes in pieces mean the same; only which fault is seen first may differ. */
function compareSplit(whole: Reading, pieces: Reading): string | undefined {
  const alike =
    JSON.stringify(whole.messages) === JSON.stringify(pieces.messages) &&
    (whole.refused === undefined) === (pieces.refused === undefined);
  return alike ? undefined : `in pieces it is read otherwise: ${JSON.stringify([whole, pieces])}`;
}

function piecesOf(bytes: Buffer, chance: Chance): Buffer[] {
  const pieces: Buffer[] = [];
  const most = chance.of([1, 3, 40]);
  for (let at = 0; at < bytes.length; ) {
    const to = at + 1 + chance.below(most);
    pieces.push(bytes.subarray(at, to));
    at = to;
  }
  return pieces;
}

export const FUZZERS = { requests: fuzzRequests, answers: fuzzAnswers, chunks: fuzzChunks } as const;

if (import.meta.main) {
  const [count = 200_000, seed = Date.now() % 1_000_000_000] = process.argv.slice(2).map(Number);
  for (const [what, run] of Object.entries(FUZZERS)) {
    const { messages, taken, stricter, fault } = await run(count, seed);
    process.stdout.write(`${what}: ${messages} from seed ${seed}, ${taken} taken; refused here and taken by Node:\n`);
    for (const [reason, { times, example }] of [...stricter].sort(([, one], [, other]) => other.times - one.times))
      process.stdout.write(`  ${String(times).padStart(7)}  ${reason}: ${JSON.stringify(example)}\n`);
    if (fault !== undefined) {
      process.stdout.write(`FAULT ${fault}\n`);
      process.exitCode = 1;
    }
  }
}
