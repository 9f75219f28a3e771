/**
 * The JSON that citadel and sidecar exchange, as types and as strict readers of what arrived. Times on the wire
 * are RFC 3339 strings in UTC. A reader accepts unknown fields of an answer (a newer citadel may add some), but
 * never a missing or mistyped one.
 */

/** Body of `POST /v1/certificates`. */
export interface CertificateRequestBody {
  /** One PEM block CERTIFICATE REQUEST. */
  readonly csr: string;
  readonly ttlSeconds?: number;
}

/** Answer of `POST /v1/certificates`, status 201. */
export interface CertificateAnswer {
  /** One PEM block per element: the leaf, then the intermediates. */
  readonly certificateChain: readonly string[];
  /** One PEM block per element: the roots of the own trust domain. */
  readonly trustBundle: readonly string[];
  readonly spiffeId: string;
  readonly notAfter: string;
  /** When citadel would renew; the sidecar draws its own moment around it. */
  readonly renewAt: string;
  readonly serverTime: string;
  readonly receipt: Receipt;
}

/** What the issuance journal says of a certificate: its entry is durable before this is sent. */
export interface Receipt {
  readonly entry: number;
  readonly serial: string;
}

/** One line of `GET /v1/watch`. */
export type WatchMessage =
  | { readonly type: 'bundle'; readonly version: number; readonly trustDomain: string; readonly bundle: unknown }
  | { readonly type: 'heartbeat'; readonly serverTime: string };

/** Body of `POST /v1/acknowledgements`, answered by 204. */
export interface AcknowledgementBody {
  readonly version: number;
}

/** @returns undefined when it is not such an answer */
export function readCertificateAnswer(body: unknown): CertificateAnswer | undefined {
  if (!isRecord(body)) return undefined;
  const { certificateChain, trustBundle, spiffeId, notAfter, renewAt, serverTime, receipt } = body;
  const complete =
    isTexts(certificateChain) &&
    isTexts(trustBundle) &&
    typeof spiffeId === 'string' &&
    isTime(notAfter) &&
    isTime(renewAt) &&
    isTime(serverTime);
  if (!complete || !isRecord(receipt)) return undefined;
  const { entry, serial } = receipt;
  if (typeof entry !== 'number' || !Number.isSafeInteger(entry) || typeof serial !== 'string') return undefined;
  return { certificateChain, trustBundle, spiffeId, notAfter, renewAt, serverTime, receipt: { entry, serial } };
}

/** @returns undefined for a message of an unknown type or shape: skip it, a newer citadel may send more kinds */
export function readWatchMessage(line: string): WatchMessage | undefined {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(message)) return undefined;
  const { type, version, trustDomain, bundle, serverTime } = message;
  if (type === 'heartbeat' && isTime(serverTime)) return { type, serverTime };
  if (
    type === 'bundle' &&
    typeof version === 'number' &&
    Number.isSafeInteger(version) &&
    typeof trustDomain === 'string'
  ) {
    return { type, version, trustDomain, bundle };
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is string[] {
  return (
    Array.isArray(value) && value.length > 0 && value.length <= 16 && value.every((part) => typeof part === 'string')
  );
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && Number.isFinite(Date.parse(value));
}
