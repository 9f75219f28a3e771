/**
 * Which fields a reader of heads looks at, told by length and spelling. All others are only carried.
 */
import { isWord, spells } from './field-names.ts';

export type FieldKind = (typeof FIELD)[keyof typeof FIELD];

export const FIELD = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  expect: 5,
  upgrade: 6,
  te: 7,
  trailer: 8,
  requestId: 9,
  contentType: 10,
  grpcStatus: 11,
  /** Belongs to one connection and is not looked at: RFC 9110 §7.6.1 and §11.7, RFC 9113 §3.1 (HTTP2-Settings). */
  hopByHop: 12,
  /** A framing field to readers that take `_` for `-`, and none to others. */
  disguised: 13,
} as const;

interface Known {
  readonly name: Uint8Array;
  readonly kind: FieldKind;
}

const KINDS: Readonly<Record<string, FieldKind>> = {
  host: FIELD.host,
  'content-length': FIELD.contentLength,
  'transfer-encoding': FIELD.transferEncoding,
  connection: FIELD.connection,
  expect: FIELD.expect,
  upgrade: FIELD.upgrade,
  te: FIELD.te,
  trailer: FIELD.trailer,
  'x-request-id': FIELD.requestId,
  'content-type': FIELD.contentType,
  'grpc-status': FIELD.grpcStatus,
  'keep-alive': FIELD.hopByHop,
  'proxy-connection': FIELD.hopByHop,
  'proxy-authenticate': FIELD.hopByHop,
  'proxy-authorization': FIELD.hopByHop,
  'proxy-authentication-info': FIELD.hopByHop,
  'http2-settings': FIELD.hopByHop,
};

/** By length, which tells most names apart before a letter is compared. */
const BY_LENGTH: readonly (readonly Known[])[] = Array.from({ length: 32 }, (_, length) =>
  Object.entries(KINDS)
    .filter(([name]) => name.length === length)
    .map(([name, kind]) => ({ name: Buffer.from(name, 'latin1'), kind })),
);

/** @param length of the name that begins at `from`; at least 1 */
export function fieldKind(bytes: Uint8Array, from: number, length: number): FieldKind {
  const known = BY_LENGTH[length];
  if (known === undefined) return FIELD.other;
  for (let at = 0; at < known.length; at++) {
    const { name, kind } = known[at]!;
    if (isWord(bytes, from, length, name)) return kind;
    if (isFraming(kind) && spells(bytes, from, name)) return FIELD.disguised;
  }
  return FIELD.other;
}

function isFraming(kind: FieldKind): boolean {
  return kind === FIELD.contentLength || kind === FIELD.transferEncoding;
}
