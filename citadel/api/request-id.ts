/** The id that names one request in answer and log: the caller's own when it is harmless, else a fresh one. */
import type { IncomingMessage } from 'node:http';
import type { Randomness } from '../../shared/clock/clock.ts';

const HARMLESS = /^[A-Za-z0-9._-]{1,64}$/;

export function requestIdOf(request: IncomingMessage | undefined, randomness: Randomness): string {
  const given = request?.headers['x-request-id'];
  return typeof given === 'string' && HARMLESS.test(given) ? given : randomness.bytes(8).toString('hex');
}
