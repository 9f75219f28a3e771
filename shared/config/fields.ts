/**
 * The kinds of value that settings have, each with its check and, where people get it wrong, an example in the
 * message. Which settings there are, with which bounds and defaults, is said by each program.
 */
import { z } from 'zod';
import { parseListenAddress } from '../process/listen-address.ts';
import { isTrustDomainName } from '../spiffe/spiffe-id.ts';

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
  z.string().refine(isHttpUrl, 'expected an http(s) URL').meta({ description });

export const trustDomain = (description: string) =>
  z
    .string()
    .refine(isTrustDomainName, 'expected a trust domain name: lower-case letters, digits, dot, dash, underscore')
    .meta({ description });

export const logLevel = (description: string) => choice(['debug', 'info', 'warn', 'error'], 'info', description);

export const logFormat = () =>
  choice(['auto', 'json', 'text'], 'auto', 'Form of log lines; auto is text on a terminal and JSON elsewhere.');

function isHttpUrl(value: string): boolean {
  return /^https?:$/.test(URL.parse(value)?.protocol ?? '');
}
