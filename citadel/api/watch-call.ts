/**
 * `GET /v1/watch`: one NDJSON stream per sidecar. It is opened by the same token as a certificate, because a
 * token names the pod and an SVID only its service account; it ends when that token expires.
 */
import type { Attested } from '../attest/attestor.ts';
import type { BundleWatchers } from '../distribute/bundle-watchers.ts';
import type { Admission } from './admission.ts';
import { bearerToken } from './bearer-token.ts';
import type { Call, Exchange } from './exchange.ts';

export interface WatchCallOptions {
  readonly watchers: BundleWatchers;
  readonly admission: Admission;
  authenticate(token: string, signal: AbortSignal): Promise<Attested>;
}

export class WatchCall implements Call {
  readonly name = 'watch';
  readonly #options: WatchCallOptions;

  constructor(options: WatchCallOptions) {
    this.#options = options;
  }

  async answer({ request, response, requestId }: Exchange): Promise<void> {
    const { watchers, admission, authenticate } = this.#options;
    watchers.checkRoom();
    const token = bearerToken(request.headers.authorization);
    const { podUid, tokenExpiresAt } = await admission.during(response, (signal) => authenticate(token, signal));
    watchers.checkRoom();
    response.writeHead(200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'x-request-id': requestId,
    });
    if (request.method === 'HEAD') return void response.end();
    if (response.destroyed) return;
    const stream = watchers.add({ podUid, tokenExpiresAt }, response);
    response.once('close', () => stream.end('left'));
  }
}
