/** `POST /v1/acknowledgements`: a sidecar says which version it has in use. The token tells which pod it is. */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Attested } from '../attest/attestor.ts';
import type { BundleWatchers } from '../distribute/bundle-watchers.ts';
import type { Admission } from './admission.ts';
import { bearerToken } from './bearer-token.ts';
import type { Call, Exchange } from './exchange.ts';
import { readJsonBody, refuseUnknownFields } from './json-body.ts';

export interface AcknowledgementCallOptions {
  readonly watchers: BundleWatchers;
  readonly admission: Admission;
  readonly mostBodyBytes: number;
  authenticate(token: string, signal: AbortSignal): Promise<Attested>;
}

export class AcknowledgementCall implements Call {
  readonly name = 'acknowledgements';
  readonly #options: AcknowledgementCallOptions;

  constructor(options: AcknowledgementCallOptions) {
    this.#options = options;
  }

  async answer({ request, response, requestId }: Exchange): Promise<void> {
    const { watchers, admission, mostBodyBytes, authenticate } = this.#options;
    const token = bearerToken(request.headers.authorization);
    const version = versionIn(await readJsonBody(request, mostBodyBytes));
    const { podUid } = await admission.during(response, (signal) => authenticate(token, signal));
    watchers.acknowledge(podUid, version);
    response.writeHead(204, { 'x-request-id': requestId });
    response.end();
  }
}

function versionIn(body: Record<string, unknown>): number {
  refuseUnknownFields(body, ['version']);
  const { version } = body;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) {
    throw new Refusal('request_malformed', 'version is not a whole number');
  }
  return version;
}
