/**
 * The kinds of value that settings have, each with its check and, where people get it wrong, an example in the
 * message. Which settings there are, with which bounds and defaults, is said by each program.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseListenAddress } from '../process/listen-address.ts';
import { isPathSegment, isTrustDomainName } from '../spiffe/spiffe-id.ts';

/** Longer than any path of a file system and any name. */
const LONGEST_TEXT = 4096;

export const text = (description: string) => z.string().min(1).max(LONGEST_TEXT).meta({ description });

export const flag = (byDefault: boolean, description: string) => z.boolean().default(byDefault).meta({ description });

export const whole = (min: number, max: number, byDefault: number, description: string) =>
  z.int().min(min).max(max).default(byDefault).meta({ description });

export const choice = <const Values extends readonly [string, ...string[]]>(
  values: Values,
  byDefault: Values[number],
  description: string,
) =>
  z
    .enum(values)
    .default(byDefault)
    .meta({ description: `${description} One of ${values.join(', ')}.` });

/** Something to listen on, or to connect to. */
export const address = (description: string, example: string) =>
  z
    .string()
    .refine((value) => parseListenAddress(value) !== undefined, `expected host:port, for example ${example}`)
    .meta({ description });

export const url = (description: string) =>
  z
    .string()
    .refine(isHttpUrl, 'expected an http(s) URL without a password and without a fragment')
    .meta({ description });

/** A part of a SPIFFE ID. */
export const pathSegment = (description: string) =>
  z
    .string()
    .refine(isPathSegment, 'expected a part of a SPIFFE ID: letters, digits, dot, dash, underscore')
    .meta({ description });

/** What a client may look for in a certificate. */
export const hostName = () => z.string().refine(isHostName, 'expected a DNS name or an IP address');

export const trustDomain = (description: string) =>
  z
    .string()
    .refine(isTrustDomainName, 'expected a trust domain name: lower-case letters, digits, dot, dash, underscore')
    .meta({ description });

export const logLevel = (description: string) => choice(['debug', 'info', 'warn', 'error'], 'info', description);

export const logFormat = () =>
  choice(['auto', 'json', 'text'], 'auto', 'Form of log lines; auto is text on a terminal and JSON elsewhere.');

/** A password would end up in logs and errors, and a fragment is never sent. */
function isHttpUrl(value: string): boolean {
  const { protocol = '', username, password, hash } = URL.parse(value) ?? {};
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '';
}

/** RFC 1034 §3.5 with the underscore that clusters use; one asterisk as the whole first label (RFC 6125 §6.4.3). */
const DNS_NAME = /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

function isHostName(value: string): boolean {
  if (isIP(value) !== 0) return !value.includes('%');
  // The last label of a name is never a number: `1.2.3.4.5` is a mistyped address.
  return value.length <= 253 && DNS_NAME.test(value) && !/(^|\.)\d+$/.test(value);
}
