/**
 * `POST /v1/certificates`: token and CSR in, certificate out. It reads the request and writes the answer, the log
 * and the metrics; whether and what is issued is decided by the pipeline behind `issue`.
 */
import type { Receipt } from '../../shared/api/messages.ts';
import type { Clock } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Attested } from '../attest/attestor.ts';
import type { CitadelMetrics } from '../telemetry/citadel-metrics.ts';
import type { Admission } from './admission.ts';
import { bearerToken } from './bearer-token.ts';
import { type Call, type Exchange, sendJson } from './exchange.ts';
import { GatheredTurn } from './gathered-turn.ts';
import { readJsonBody, refuseUnknownFields } from './json-body.ts';

export interface CertificateWish {
  readonly token: string;
  readonly csrPem: string;
  readonly ttlSeconds?: number;
  readonly address: string;
  readonly requestId: string;
}

export interface Issued {
  readonly spiffeId: string;
  /** PEM, leaf first. */
  readonly certificateChain: readonly string[];
  /** PEM. The same array as long as the bundle is the same. */
  readonly trustBundle: readonly string[];
  /** Milliseconds since the epoch, like the next one. */
  readonly notAfter: number;
  readonly renewAt: number;
  readonly receipt: Receipt;
  /** SHA-256 of the certified key, hex. */
  readonly keyFingerprint: string;
  readonly attested: Attested;
}

export interface CertificateCallOptions {
  /** @throws {Refusal} and nothing was handed out then */
  issue(wish: CertificateWish, signal: AbortSignal): Promise<Issued>;
  readonly admission: Admission;
  readonly mostBodyBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: CitadelMetrics;
}

export class CertificateCall implements Call {
  readonly name = 'certificates';
  readonly #options: CertificateCallOptions;
  readonly #issued: { value: number };
  readonly #turn = new GatheredTurn();
  readonly #bundles = new WeakMap<readonly string[], string>();

  constructor(options: CertificateCallOptions) {
    this.#options = options;
    this.#issued = options.metrics.issued.series([]);
  }

  async answer(exchange: Exchange): Promise<void> {
    const { clock, metrics } = this.#options;
    const started = clock.monotonic();
    try {
      const issued = await this.#issue(exchange);
      sendJson(exchange, 201, this.#bodyOf(issued));
      this.#issued.value++;
      metrics.issuanceSeconds.observe((clock.monotonic() - started) / 1000, ['issued']);
      this.#note(exchange, issued, clock.monotonic() - started);
    } catch (thrown) {
      const refusal = asRefusal(thrown, 'citadel_internal');
      metrics.issuanceSeconds.observe((clock.monotonic() - started) / 1000, [refusal.code]);
      throw refusal;
    }
  }

  async #issue({ request, response, requestId, address }: Exchange): Promise<Issued> {
    const { admission, issue, mostBodyBytes } = this.#options;
    const token = bearerToken(request.headers.authorization);
    const wish = { token, address, requestId, ...wishIn(await readJsonBody(request, mostBodyBytes)) };
    return admission.during(response, async (signal) => {
      await this.#turn.begin();
      return issue(wish, signal);
    });
  }

  /** The roots are most of the answer and never change in between: they are serialised once. */
  #bodyOf({ certificateChain, trustBundle, spiffeId, notAfter, renewAt, receipt }: Issued): string {
    const bundle = this.#bundles.get(trustBundle) ?? JSON.stringify(trustBundle);
    this.#bundles.set(trustBundle, bundle);
    const rest = JSON.stringify({
      certificateChain,
      spiffeId,
      notAfter: new Date(notAfter).toISOString(),
      renewAt: new Date(renewAt).toISOString(),
      serverTime: new Date(this.#options.clock.now()).toISOString(),
      receipt,
    });
    return `{"trustBundle":${bundle},${rest.slice(1)}`;
  }

  /** Everything that leads from a certificate to its pod and back, and nothing secret. */
  #note({ requestId, address }: Exchange, issued: Issued, milliseconds: number): void {
    const { attested, receipt } = issued;
    this.#options.log.info('certificate_issued', {
      spiffeId: issued.spiffeId,
      serial: receipt.serial,
      entry: receipt.entry,
      podUid: attested.podUid,
      pod: attested.podName,
      ...(attested.nodeName === undefined ? {} : { node: attested.nodeName }),
      tokenId: attested.tokenId,
      keyFingerprint: issued.keyFingerprint,
      notAfter: new Date(issued.notAfter).toISOString(),
      attestedBy: attested.method,
      milliseconds: Math.round(milliseconds * 100) / 100,
      address,
      requestId,
    });
  }
}

function wishIn(body: Record<string, unknown>): { csrPem: string; ttlSeconds?: number } {
  refuseUnknownFields(body, ['csr', 'ttlSeconds']);
  const { csr, ttlSeconds } = body;
  if (csr === undefined || csr === '') throw new Refusal('csr_missing');
  if (typeof csr !== 'string') throw new Refusal('request_malformed', 'csr is not a string');
  if (ttlSeconds === undefined) return { csrPem: csr };
  if (typeof ttlSeconds !== 'number' || !Number.isSafeInteger(ttlSeconds))
    throw new Refusal('request_malformed', 'ttlSeconds is not a whole number');
  return { csrPem: csr, ttlSeconds };
}
