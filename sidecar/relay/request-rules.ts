/**
 * What a request must be before it is forwarded: one rule, one clause, one code. The parser has refused what is
 * no HTTP at all; here everything goes that two readers could understand differently, because the app behind is
 * another reader. Pure. It authorises nothing.
 */
import type { IncomingMessage } from 'node:http';
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import { type HeaderScan, scanHeaders } from './raw-headers.ts';
import { forwardedTarget, isAuthority } from './request-target.ts';

/** A request that has exactly one meaning. */
export interface CheckedRequest {
  readonly scan: HeaderScan;
  /** The target as it is forwarded. */
  readonly target: string;
  readonly hasBody: boolean;
  readonly chunked: boolean;
  readonly expectsContinue: boolean;
}

interface Subject extends HeaderScan {
  readonly method: string;
  readonly version: string;
  readonly target: string | undefined;
  readonly mostFields: number;
}

interface RequestRule {
  readonly code: RefusalCode;
  readonly why: string;
  readonly holds: (subject: Subject) => boolean;
}

/** RFC 9110 §8.6. Leading zeros are decimal to us and octal to some. */
const LENGTH = /^(?:0|[1-9]\d{0,15})$/;

const RULES: readonly RequestRule[] = [
  // RFC 9112 §2.3: the parser also lets 0.9 and 2.0 pass.
  { code: 'http_malformed', why: 'HTTP version', holds: ({ version }) => version === '1.1' || version === '1.0' },
  { code: 'http_headers_too_large', why: 'number of fields', holds: ({ fields, mostFields }) => fields <= mostFields },
  // RFC 9112 §3.2: exactly one Host, and a valid one; here of HTTP/1.0 too, because the next hop speaks 1.1.
  { code: 'http_malformed', why: 'Host', holds: ({ hosts }) => hosts.length === 1 && isAuthority(hosts[0]!) },
  // RFC 9112 §6.3 (5): a Content-Length that is no single number cannot be recovered from.
  {
    code: 'http_malformed',
    why: 'Content-Length',
    holds: ({ lengths }) => lengths.length <= 1 && lengths.every((length) => LENGTH.test(length)),
  },
  // RFC 9112 §6.1: chunked is the only coding that every recipient knows; others would have to be undone here.
  {
    code: 'http_malformed',
    why: 'Transfer-Encoding',
    holds: ({ codings }) => codings.length <= 1 && codings.every(isChunked),
  },
  // RFC 9112 §6.1: both lengths at once is what request smuggling is made of.
  {
    code: 'http_malformed',
    why: 'Content-Length beside Transfer-Encoding',
    holds: ({ lengths, codings }) => lengths.length === 0 || codings.length === 0,
  },
  // RFC 9112 §6.1: an HTTP/1.0 message with Transfer-Encoding is to be treated as faulty.
  {
    code: 'http_malformed',
    why: 'Transfer-Encoding in HTTP/1.0',
    holds: ({ version, codings }) => version !== '1.0' || codings.length === 0,
  },
  { code: 'http_malformed', why: 'a framing field in disguise', holds: ({ disguises }) => disguises.length === 0 },
  // RFC 9110 §9.3.6: a reverse proxy is no tunnel.
  { code: 'http_malformed', why: 'CONNECT', holds: ({ method }) => method !== 'CONNECT' },
  { code: 'http_malformed', why: 'request target', holds: ({ target }) => target !== undefined },
  // RFC 9110 §10.1.1 knows one expectation only.
  {
    code: 'http_malformed',
    why: 'Expect',
    holds: ({ expectations }) =>
      expectations.length <= 1 && expectations.every((value) => value.toLowerCase() === '100-continue'),
  },
  {
    code: 'http_upgrade_with_body',
    why: 'Upgrade',
    holds: ({ upgrades, lengths, codings }) => !upgrades.includes('websocket') || !bodyFollows(lengths, codings),
  },
];

/** @throws {Refusal} with the code of the first rule that does not hold */
export function checkRequest(request: IncomingMessage, mostFields: number): CheckedRequest {
  const { method = '', httpVersion: version, rawHeaders, url = '' } = request;
  const scan = scanHeaders(rawHeaders);
  const target = forwardedTarget(method, url, scan.hosts[0] ?? '');
  const subject: Subject = { ...scan, method, version, target, mostFields };
  const broken = RULES.find((rule) => !rule.holds(subject));
  if (broken || target === undefined)
    throw new Refusal(broken?.code ?? 'http_malformed', broken?.why ?? 'request target');
  const { lengths, codings, expectations } = scan;
  return {
    scan,
    target,
    hasBody: bodyFollows(lengths, codings),
    chunked: codings.length > 0,
    // RFC 9110 §10.1.1: an HTTP/1.0 client cannot be sent a 100.
    expectsContinue: expectations.length > 0 && version === '1.1',
  };
}

/** RFC 9112 §6.3: a request has a body only when it says so. */
export function bodyFollows(lengths: readonly string[], codings: readonly string[]): boolean {
  return codings.length > 0 || (lengths.length > 0 && lengths[0] !== '0');
}

export function isChunked(coding: string): boolean {
  return coding.toLowerCase() === 'chunked';
}
