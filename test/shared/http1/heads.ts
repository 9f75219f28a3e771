/** Heads as text, read as the relay does. */
import { expect } from 'chai';
import { FieldNames } from '../../../shared/http1/field-names.ts';
import type { HeadLimits, RequestHead, ResponseHead } from '../../../shared/http1/head.ts';
import { HeadReader } from '../../../shared/http1/head-reader.ts';
import { Http1Error, type Http1Fault } from '../../../shared/http1/http1-error.ts';
import { parseRequestHead } from '../../../shared/http1/request-head.ts';
import { parseResponseHead } from '../../../shared/http1/response-head.ts';

export const LIMITS: HeadLimits = { bytes: 4096, fields: 20 };
export const STRIP = new FieldNames(['x-forwarded-client-cert', 'x-own-*']);

export function readerOf(text: string, limits = LIMITS): HeadReader {
  const reader = new HeadReader(limits);
  expect(reader.push(Buffer.from(text, 'latin1'), 0)).to.equal(Buffer.byteLength(text, 'latin1'));
  return reader;
}

/** With its kept fields as text. */
export function requestOf(text: string, limits = LIMITS): RequestHead & { readonly fields: string } {
  const head = parseRequestHead(readerOf(text, limits), limits, STRIP);
  return { ...head, fields: head.kept.fields };
}

/** With its kept fields and the reason of the status line that goes on. */
export function answerOf(
  text: string,
  requestMethod = 'GET',
): ResponseHead & { readonly fields: string; readonly reason: string } {
  const head = parseResponseHead(readerOf(text), LIMITS, STRIP, requestMethod);
  const reason = (head.statusLine || head.kept.startLine).slice('HTTP/1.1 200 '.length);
  return { ...head, fields: head.kept.fields, reason };
}

/** A request of one method with these field lines beside Host. */
export function withFields(...lines: string[]): string {
  return `POST /a HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
}

export function faultOf(read: () => unknown): Http1Error {
  try {
    read();
  } catch (error) {
    if (error instanceof Http1Error) return error;
    throw error;
  }
  throw new Error('it was taken');
}

export function expectFault(read: () => unknown, detail: string, code: Http1Fault = 'malformed'): void {
  const fault = faultOf(read);
  expect([fault.code, fault.detail]).to.deep.equal([code, detail]);
  expect(fault.status).to.equal(code === 'malformed' ? 400 : 431);
}
