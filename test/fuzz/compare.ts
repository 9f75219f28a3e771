/** What may be different between the strict reader and another one, and what may not. */
import { METHODS } from 'node:http';
import type { Reading, ReadMessage } from './reading.ts';

export interface Comparison {
  /** The strict reader took something that the other did not, or read it otherwise. */
  readonly fault: string | undefined;
  /** Why the strict reader refused what the other took whole; undefined when they agree. */
  readonly stricter: string | undefined;
}

const AGREED: Comparison = { fault: undefined, stricter: undefined };

export function compare(strict: Reading, other: Reading): Comparison {
  const { messages, refused } = strict;
  for (const [at, message] of messages.entries()) {
    const peer = other.messages[at];
    // Node knows a list of methods; a proxy need not.
    if (!isAnswer(message) && !METHODS.includes(message.start.split(' ')[0]!)) return AGREED;
    const isLast = at === messages.length - 1;
    const fault = difference(message, peer, isLast && refused !== undefined, other.refused);
    if (fault !== undefined) return { fault: `message ${at}: ${fault}`, stricter: undefined };
    if (isLast && refused !== undefined && !message.whole && peer?.whole)
      return { fault: undefined, stricter: refused };
  }
  const more = other.messages.slice(messages.length);
  if (more.length === 0 || strict.ended) return AGREED;
  if (refused === undefined) return { fault: `it saw one more: ${more[0]!.start}`, stricter: undefined };
  return { fault: undefined, stricter: more[0]!.whole ? refused : undefined };
}

/** @param broken whether the strict reader found a fault in the body of this message */
function difference(
  strict: ReadMessage,
  other: ReadMessage | undefined,
  broken: boolean,
  otherRefused: string | undefined,
): string | undefined {
  if (other === undefined) return `only we took ${strict.start} (${otherRefused ?? 'no error'})`;
  if (strict.start !== other.start) return `we read ${strict.start}, it ${other.start}`;
  if (String(strict.fields) !== String(other.fields)) return `fields ${words(strict.fields, other.fields)}`;
  // Not to trust the one who gave a faulty answer is no fault; nor is it that `close` wins in HTTP/1.0 (RFC 9112 §9.3).
  const distrusts = strict.keepAlive === false && (isAnswer(strict) || strict.start.endsWith(' 1.0'));
  if (other.keepAlive !== undefined && strict.keepAlive !== other.keepAlive && !distrusts)
    return `keep-alive ${words(strict.keepAlive, other.keepAlive)}`;
  if (broken) return undefined;
  if (strict.whole !== other.whole) return `whole ${words(strict.whole, other.whole)} (${otherRefused ?? 'no error'})`;
  if (strict.body !== other.body) return `body ${words(strict.body, other.body)}`;
  if (String(strict.trailers) !== String(other.trailers)) return `trailers ${words(strict.trailers, other.trailers)}`;
  return undefined;
}

function isAnswer({ start }: ReadMessage): boolean {
  return /^\d{3} 1/.test(start);
}

function words(ours: unknown, theirs: unknown): string {
  return `${JSON.stringify(ours)} and ${JSON.stringify(theirs)}`;
}
