/** A plain node:http app that keeps every request as it understood it, and answers each with what it was asked. */

import type { Server } from 'node:http';
import { type App, httpApp } from './app-server.ts';

export interface RecordedRequest {
  /** `GET /path` */
  readonly line: string;
  /** Name and value pairs, as they came. */
  readonly fields: readonly string[];
  readonly trailers: readonly string[];
  readonly body: string;
  /** Whether it came to its end. */
  readonly whole: boolean;
}

export interface RecordingApp extends App<Server> {
  /** From now on. @returns what came until it is called */
  watch(): () => RecordedRequest[];
}

export async function recordingApp(): Promise<RecordingApp> {
  const seen: { line: string; fields: string[]; trailers: string[]; body: string; whole: boolean }[] = [];
  const app = await httpApp((request, response) => {
    const line = `${request.method} ${request.url}`;
    const record = { line, fields: request.rawHeaders, trailers: [] as string[], body: '', whole: false };
    seen.push(record);
    request.on('data', (part: Buffer) => {
      record.body += part.toString('latin1');
    });
    request.on('error', () => {}); // a request that breaks off stays one that is not whole
    request.on('end', () => {
      record.whole = request.complete;
      record.trailers = request.rawTrailers;
      response.end(`asked ${line}.`);
    });
  });
  return Object.assign(app, {
    watch() {
      const from = seen.length;
      return () => seen.slice(from);
    },
  });
}
