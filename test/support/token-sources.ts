/**
 * Who vouches for tokens in end-to-end tests of citadel: an issuer of the test's own, which publishes its keys and
 * signs whatever a test spells out, or the fake API server. Both hold the signing key, so that a test can make a
 * token wrong in exactly one way.
 */
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { UNSAFE_DEV_ISSUER_MARK } from '../../shared/api/dev-issuer-mark.ts';
import type { TokenSource } from './citadel-process.ts';
import type { FakeApiServer } from './fake-api-server.ts';
import {
  type ClaimOptions,
  type Claims,
  makeSigningKey,
  type PodFacts,
  podClaims,
  podFacts,
  type SigningKey,
  signToken,
} from './tokens.ts';

/** Plain HTTP and marked as unsafe, like `citadel dev-issuer`. */
export class TestIssuer implements TokenSource {
  readonly key: SigningKey = makeSigningKey('RS256');
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: [this.key.jwk], [UNSAFE_DEV_ISSUER_MARK]: true }));
    });
  }

  static async start(): Promise<TestIssuer> {
    const issuer = new TestIssuer();
    await new Promise<void>((resolve) => issuer.#server.listen(0, '127.0.0.1', resolve));
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  claims(facts: PodFacts = podFacts(), options: Partial<ClaimOptions> = {}): Claims {
    return podClaims(facts, { issuer: this.url, issuedAt: Date.now(), ...options });
  }

  /** Every call is a new token, of a new pod unless the facts name one. */
  token(facts?: PodFacts): string {
    return signToken(this.claims(facts), this.key);
  }

  async attestation(): Promise<Readonly<Record<string, unknown>>> {
    const oidc = { issuer: this.url, jwksUrl: `${this.url}/openid/v1/jwks`, unsafeDevIssuer: true };
    return { mode: 'oidc', oidc };
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export type ReviewedMode = 'token-review' | 'oidc' | 'both';

/** @param tokenReview merged into the settings of TokenReview */
export function reviewedBy(server: FakeApiServer, mode: ReviewedMode, tokenReview: object = {}): TokenSource {
  return {
    async attestation(directory) {
      const caFile = join(directory, 'api-server-ca.crt');
      const tokenFile = join(directory, 'api-server-token');
      await writeFile(caFile, server.caPem);
      await writeFile(tokenFile, server.reviewerToken(86_400), { mode: 0o600 });
      const oidc = { issuer: server.issuer, jwksUrl: `${server.url}/openid/v1/jwks`, caFile, tokenFile };
      return { mode, oidc, tokenReview: { url: server.url, caFile, tokenFile, ...tokenReview } };
    },
  };
}
