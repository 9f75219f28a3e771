/**
 * `GET /v1/bundle`: the trust bundle in SPIFFE's format, for anyone; it holds nothing secret. Serialised once per
 * change, and not sent again to who has it already (RFC 9110 §13.1.2).
 */
import { createHash } from 'node:crypto';
import { encodeBundle, type TrustBundle } from '../../shared/spiffe/trust-bundle.ts';
import type { Call, Exchange } from './exchange.ts';

export class BundleCall implements Call {
  readonly name = 'bundle';
  readonly #current: () => TrustBundle;
  #serialised: { bundle: TrustBundle; body: string; tag: string } | undefined;

  constructor(current: () => TrustBundle) {
    this.#current = current;
  }

  answer({ request, response, requestId }: Exchange): void {
    const { body, tag } = this.#serialise();
    const headers = { etag: tag, 'cache-control': 'no-cache', 'x-request-id': requestId };
    if (matches(request.headers['if-none-match'], tag)) {
      response.writeHead(304, headers);
      response.end();
      return;
    }
    response.writeHead(200, {
      ...headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  }

  #serialise(): { body: string; tag: string } {
    const bundle = this.#current();
    if (this.#serialised?.bundle !== bundle) {
      const body = JSON.stringify(encodeBundle(bundle));
      const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
      this.#serialised = { bundle, body, tag };
    }
    return this.#serialised;
  }
}

function matches(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === tag);
}
