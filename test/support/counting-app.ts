/**
 * An app that keeps every byte it gets, reads it by RFC 9112 §6.3 and nothing cleverer, and answers every whole request
 * alike: what it understood is what any app could have understood.
 */
import { rawApp } from './app-server.ts';

export interface SeenRequest {
  readonly start: string;
  /** Start line and fields, as they came. */
  readonly head: string;
  readonly body: string;
  /** Whether it came to its end. */
  readonly whole: boolean;
}

export interface CountingApp extends AsyncDisposable {
  readonly port: number;
  /** Start lines of all requests so far, connection by connection. */
  requests(): string[];
  /** From now on. @returns what came until it is called */
  watch(): () => SeenRequest[];
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved';

export async function countingApp(): Promise<CountingApp> {
  const texts: string[] = [];
  const app = await rawApp((socket, at) => {
    texts[at] = '';
    let answered = 0;
    socket.on('data', (part: Buffer) => {
      texts[at] += part.toString('latin1');
      const whole = seenIn(texts[at]!).filter((request) => request.whole).length;
      for (; answered < whole; answered++) socket.write(ANSWER);
    });
    socket.on('end', () => socket.end());
  });
  return {
    port: app.port,
    requests: () => texts.flatMap(seenIn).map(({ start }) => start),
    watch() {
      const lengths = texts.map(({ length }) => length);
      return () => texts.flatMap((text, at) => seenIn(text.slice(lengths[at] ?? 0)));
    },
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}

/** Reads requests that follow one another. */
export function seenIn(text: string): SeenRequest[] {
  const seen: SeenRequest[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const head = end < 0 ? rest : rest.slice(0, end + 2);
    const [start = ''] = head.split('\r\n');
    const after = end < 0 ? '' : rest.slice(end + 4);
    const bytes = end < 0 ? undefined : bodyBytes(head, after);
    seen.push({ start, head, body: after.slice(0, bytes ?? after.length), whole: bytes !== undefined });
    rest = bytes === undefined ? '' : after.slice(bytes);
  }
  return seen;
}

/** @returns undefined when it has not come to its end */
function bodyBytes(head: string, after: string): number | undefined {
  if (/^transfer-encoding: *chunked\r$/im.test(head)) {
    const last = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(after);
    return last ? last.index + last[0].length : undefined;
  }
  const bytes = Number(/^content-length: *(\d+)\r$/im.exec(head)?.[1] ?? 0);
  return after.length >= bytes ? bytes : undefined;
}
