/** The token in an Authorization header (RFC 6750 §2.1). It is looked at by length only; attestation judges it. */
import { Refusal } from '../../shared/errors/refusal.ts';

const MOST_BYTES = 8192;

/** @throws {Refusal} token_missing, token_too_large */
export function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined) throw new Refusal('token_missing', 'no Authorization header');
  // RFC 9110 §11.1: the scheme is case-insensitive.
  if (authorization.slice(0, 7).toLowerCase() !== 'bearer ')
    throw new Refusal('token_missing', 'Authorization is not of scheme Bearer');
  const token = authorization.slice(7).trim();
  if (token === '') throw new Refusal('token_missing', 'the bearer token is empty');
  if (token.length > MOST_BYTES) throw new Refusal('token_too_large', `${token.length} bytes`);
  return token;
}
