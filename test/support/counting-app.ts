/**
 * An app that keeps every byte it gets and answers every request alike, so that a test can say what reached it: the
 * requests, in order, as their start lines.
 */
import { type RawApp, rawApp } from './app-server.ts';

export interface CountingApp extends RawApp {
  /** Everything that came over all connections. */
  text(): Promise<string>;
  /** Start lines of all requests so far, connection by connection. */
  requests(): Promise<string[]>;
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved';

/** For requests whose body, if any, ends with an empty line: counts the ends of heads and of chunked bodies. */
export async function countingApp(): Promise<CountingApp> {
  const app = await rawApp((socket) => {
    let seen = '';
    let answered = 0;
    socket.on('data', (part: Buffer) => {
      seen += part.toString('latin1');
      const complete = completeRequests(seen);
      for (; answered < complete; answered++) socket.write(ANSWER);
    });
    socket.on('end', () => socket.end());
  });
  const texts = async (): Promise<string[]> => {
    const all: string[] = [];
    for (let at = 0; at < app.count; at++) all.push((await app.connection(at)).text);
    return all;
  };
  return Object.assign(app, {
    text: async () => (await texts()).join('\n'),
    requests: async () => (await texts()).flatMap((text) => startLines(text)),
  });
}

/** How many whole requests the text holds, read by RFC 9112 §6.3 and nothing cleverer. */
function completeRequests(text: string): number {
  return split(text).filter(({ whole }) => whole).length;
}

export function startLines(text: string): string[] {
  return split(text).map(({ head }) => head.split('\r\n')[0]!);
}

interface Seen {
  readonly head: string;
  readonly whole: boolean;
}

function split(text: string): Seen[] {
  const seen: Seen[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return [...seen, { head: rest, whole: false }];
    const head = rest.slice(0, end);
    rest = rest.slice(end + 4);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      const last = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(rest);
      seen.push({ head, whole: last !== null });
      rest = last ? rest.slice(last.index + last[0].length) : '';
    } else {
      const bytes = Number(length?.[1] ?? 0);
      seen.push({ head, whole: rest.length >= bytes });
      rest = rest.slice(bytes);
    }
  }
  return seen;
}
