/**
 * A refusal as RFC 9457 problem details, and back. The answer carries the code and the public message only:
 * the detail of a refusal never leaves the process.
 */
import { isRefusalCode, type Refusal, type RefusalCode } from './refusal.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** RFC 9457 §3.1; `code` is our extension member (§3.2). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: RefusalCode;
}

export function problemOf(refusal: Refusal): Problem {
  return {
    type: `urn:sallyport:refusal:${refusal.code}`,
    title: refusal.message,
    status: refusal.status,
    code: refusal.code,
  };
}

/** The code in a problem body that a peer sent, or undefined when it is not one of ours. */
export function codeInProblem(body: unknown): RefusalCode | undefined {
  if (typeof body !== 'object' || body === null || !('code' in body)) return undefined;
  return typeof body.code === 'string' && isRefusalCode(body.code) ? body.code : undefined;
}
