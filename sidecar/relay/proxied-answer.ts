/** An answer that node:http has read for http-proxy, read again by our own rules and written to the caller as we write answers. */
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import type { FieldNames } from '../../shared/http1/field-names.ts';
import type { HeadLimits, ResponseHead } from '../../shared/http1/head.ts';
import { parseResponseHead } from '../../shared/http1/response-head.ts';
import { putAnswer } from './http1-answer-text.ts';
import { HeadWriter } from './http1-head-writer.ts';

const CRLF = Buffer.from('\r\n');

/** @throws {Http1Error} */
export function checkedHead(answer: IncomingMessage, limits: HeadLimits, strip: FieldNames): ResponseHead {
  const { httpVersion, statusCode, statusMessage, rawHeaders } = answer;
  let text = `HTTP/${httpVersion} ${statusCode} ${statusMessage}\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2) text += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  const bytes = Buffer.from(text, 'latin1');
  return parseResponseHead({ bytes, from: 0, to: bytes.length, text }, limits, strip, 'GET');
}

/** As http-proxy writes them: in the sender's letter case; several fields of one name stay several. */
export function fieldsOf({ kept }: ResponseHead): Record<string, string[]> {
  const named: Record<string, string[]> = {};
  for (const [name, value] of fieldLines(kept.fields)) named[name] = [...(named[name] ?? []), value];
  return named;
}

/** @param text field lines, each with its CRLF */
export function fieldLines(text: string): [string, string][] {
  const lines = text.split('\r\n').slice(0, -1);
  return lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}

/**
 * Writes all of it at the speed of the caller, as the last answer of its connection. It ends nothing.
 * @param moved told the bytes of each piece of the body
 */
export function writeAnswer(
  answer: IncomingMessage,
  head: ResponseHead,
  to: Writable,
  moved: (bytes: number) => void,
  ended: () => void,
): void {
  const isChunked = head.framing.kind === 'chunked';
  const { buffer, length } = putAnswer(new HeadWriter(), head, 'close', isChunked);
  to.write(buffer.subarray(0, length));
  answer.on('data', (part: Buffer) => {
    moved(part.length);
    const piece = isChunked ? Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, CRLF]) : part;
    if (!to.write(piece)) answer.pause();
  });
  to.on('drain', () => answer.resume());
  answer.on('end', () => {
    if (isChunked) to.write('0\r\n\r\n');
    ended();
  });
}
