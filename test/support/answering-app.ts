/**
 * An app that answers with exactly the bytes that a test has for the path, and everything else by saying what it was
 * asked. It reads heads and lengths, nothing else.
 */
import { rawApp } from './app-server.ts';

export interface AnsweringApp extends AsyncDisposable {
  readonly port: number;
  /** What it writes when the head of a request for that path is there. */
  readonly answers: Map<string, string>;
  /** Writes more of the answer for that path. */
  goOn(path: string, text: string): void;
  /** Written to every connection that is open and not being asked, as an answer that nobody asked for. */
  speakUnasked(text: string): number;
}

export async function answeringApp(): Promise<AnsweringApp> {
  const answers = new Map<string, string>();
  const idle = new Map<number, (text: string) => void>();
  const asked = new Map<string, (text: string) => void>();
  const app = await rawApp((socket, at) => {
    let text = '';
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        const [, path = ''] = head.split(' ');
        const length = Number(/^content-length: (\d+)$/im.exec(head.replaceAll('\r', ''))?.[1] ?? 0);
        const early = answers.get(path);
        if (early === undefined && text.length < end + 4 + length) return;
        // A body that has not come yet is not waited for, and what comes of it later is no request.
        text = text.slice(end + 4 + length);
        socket.write(early ?? own(path), 'latin1');
        if (early?.includes('until the end')) socket.end();
        const write = (more: string): void => void socket.write(more, 'latin1');
        asked.set(path, write);
        idle.set(at, write);
      }
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => idle.delete(at));
  });
  return {
    port: app.port,
    answers,
    goOn: (path, text) => asked.get(path)!(text),
    speakUnasked(text) {
      for (const write of idle.values()) write(text);
      return idle.size;
    },
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}

function own(path: string): string {
  const body = `asked ${path}.`;
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
