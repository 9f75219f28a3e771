/** A token's name in caches and journals: one-way, so that nothing kept can be used as a token. */
import { hash } from 'node:crypto';

export function tokenHash(token: string): string {
  return hash('sha256', token, 'hex');
}

/** @returns the token's own id, else a prefix of its hash that is long enough to tell tokens apart */
export function tokenIdOf(jti: string | undefined, tokenSha256: string): string {
  return jti ?? `sha256:${tokenSha256.slice(0, 32)}`;
}
