/** Reads the bytes of a connection as the relay does: heads, bodies by their framing, message after message. */
import { ChunkScanner } from '../../shared/http1/chunk-scanner.ts';
import { FieldNames } from '../../shared/http1/field-names.ts';
import type { Framing } from '../../shared/http1/head.ts';
import { HeadReader } from '../../shared/http1/head-reader.ts';
import { Http1Error } from '../../shared/http1/http1-error.ts';
import { parseRequestHead } from '../../shared/http1/request-head.ts';
import { parseResponseHead } from '../../shared/http1/response-head.ts';
import { linesIn, type Reading, type ReadMessage } from './reading.ts';

export const FUZZ_LIMITS = { bytes: 16_384, fields: 100 };
const CHUNK_LIMITS = { extensionBytes: 4096, trailerBytes: 4096, trailerFields: 20 };
export const STRIPPED = new FieldNames(['x-forwarded-client-cert', 'x-sallyport-*', 'x-spiffe-*']);

interface Head {
  readonly start: string;
  readonly fields: string;
  readonly framing: Framing;
  readonly keepAlive: boolean;
  /** Another head of the same exchange follows. */
  readonly isInterim: boolean;
  /** What follows is no HTTP/1 for whoever speaks it. */
  readonly isTunnel: boolean;
}

interface Body {
  readonly body: string;
  readonly trailers: string[];
  readonly whole: boolean;
  readonly next: number;
  readonly refused?: string;
}

export function readRequests(bytes: Buffer, pieces: readonly Buffer[] = [bytes]): Reading {
  return readAll(bytes, pieces, (reader) => {
    const head = parseRequestHead(reader, FUZZ_LIMITS, STRIPPED);
    return {
      ...head,
      fields: head.kept.fields,
      start: `${head.method} ${head.target} 1.${head.minor}`,
      isInterim: false,
      // Some readers look at Upgrade in HTTP/1.0, too.
      isTunnel:
        head.method === 'CONNECT' || (/^upgrade:/im.test(reader.text) && /^connection:.*upgrade/im.test(reader.text)),
    };
  });
}

/** One answer, with the interim ones before it. */
export function readAnswer(bytes: Buffer, method: string, pieces: readonly Buffer[] = [bytes]): Reading {
  return readAll(
    bytes,
    pieces,
    (reader) => {
      const head = parseResponseHead(reader, FUZZ_LIMITS, STRIPPED, method);
      const isTunnel = head.status === 101;
      return {
        ...head,
        fields: head.kept.fields,
        start: `${head.status} 1.${head.minor}`,
        isInterim: head.status < 200 && !isTunnel,
        isTunnel,
      };
    },
    true,
  );
}

function readAll(
  bytes: Buffer,
  pieces: readonly Buffer[],
  parse: (reader: HeadReader) => Head,
  oneExchange = false,
): Reading {
  const messages: ReadMessage[] = [];
  const reader = new HeadReader(FUZZ_LIMITS);
  let at = 0;
  try {
    while (at < bytes.length) {
      const next = readHead(reader, pieces, at);
      if (next < 0) break;
      const { start, fields, framing, keepAlive, isInterim, isTunnel } = parse(reader);
      const body = readBody(bytes, next, framing, pieces);
      const { trailers, whole } = body;
      messages.push({ start, fields: linesIn(fields), body: body.body, trailers, whole, keepAlive });
      if (body.refused !== undefined) return { messages, refused: body.refused };
      at = body.next;
      if (isTunnel) return { messages, refused: undefined, ended: 'upgrade' };
      if (!whole || (oneExchange && !isInterim)) break;
      if (!isInterim && !keepAlive) return { messages, refused: undefined, ended: 'close' };
    }
  } catch (error) {
    if (error instanceof Http1Error) return { messages, refused: error.detail };
    throw error;
  }
  return { messages, refused: undefined };
}

/** @param from in the whole, whatever the pieces */
function readHead(reader: HeadReader, pieces: readonly Buffer[], from: number): number {
  let base = 0;
  for (const piece of pieces) {
    if (from < base + piece.length) {
      const end = reader.push(piece, Math.max(0, from - base));
      if (end >= 0) return base + end;
    }
    base += piece.length;
  }
  return -1;
}

function readBody(bytes: Buffer, from: number, framing: Framing, pieces: readonly Buffer[]): Body {
  const { kind, length } = framing;
  if (kind === 'chunked') return readChunks(from, pieces);
  const wanted = kind === 'close' ? bytes.length - from : length;
  const next = Math.min(bytes.length, from + wanted);
  return { body: bytes.toString('latin1', from, next), trailers: [], whole: next === from + wanted, next };
}

function readChunks(from: number, pieces: readonly Buffer[]): Body {
  let body = '';
  const scanner = new ChunkScanner(CHUNK_LIMITS, {
    forbidden: STRIPPED,
    onData: (data, start, end) => {
      body += data.toString('latin1', start, end);
    },
  });
  let next = from;
  try {
    let base = 0;
    for (const piece of pieces) {
      if (next < base + piece.length && !scanner.isDone) next += scanner.scan(piece, Math.max(0, next - base));
      base += piece.length;
    }
  } catch (error) {
    if (!(error instanceof Http1Error)) throw error;
    return { body, trailers: [], whole: false, next, refused: error.detail };
  }
  return { body, trailers: linesIn(scanner.trailers), whole: scanner.isDone, next };
}
