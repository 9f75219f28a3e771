/**
 * A token taken apart, before anything in it is believed: size, shape, algorithm, in that order (the order is
 * from cheap to dear, and nothing is parsed that is too large). It proves nothing: see verify-jwt.ts.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import { type JwtAlgorithm, jwtAlgorithm } from './jwt-algorithms.ts';
import { type JsonObject, parseStrictJson } from './strict-json.ts';

/** A service account token has about 1 KiB. */
const MOST_TOKEN_CHARACTERS = 8192;

export interface ParsedJwt {
  readonly algorithm: JwtAlgorithm;
  readonly keyId: string | undefined;
  /** Not yet believed. */
  readonly claims: JsonObject;
  /** What the signature is over: header and payload as they were sent (RFC 7515 §5.2). */
  readonly signed: string;
  readonly signature: Buffer;
}

/**
 * Comes before everything, also before hashing a token to look it up.
 * @throws {Refusal} token_missing, token_too_large
 */
export function checkTokenSize(token: string): void {
  if (token.length === 0) throw new Refusal('token_missing');
  if (token.length > MOST_TOKEN_CHARACTERS) throw new Refusal('token_too_large', `${token.length} characters`);
}

/** @throws {Refusal} token_missing, token_too_large, token_malformed, token_algorithm_forbidden */
export function parseJwt(token: string): ParsedJwt {
  checkTokenSize(token);
  // RFC 7515 §3.1: exactly three parts; five would be an encrypted token.
  const parts = token.split('.', 4);
  const [head, payload, tail] = parts;
  if (head === undefined || payload === undefined || tail === undefined || parts.length !== 3) {
    throw malformed('not three parts');
  }
  const header = jsonPart(head, 'header');
  const algorithm = algorithmOf(header);
  const keyId = keyIdOf(header);
  const signature = decodePart(tail, 'signature');
  return { algorithm, keyId, claims: jsonPart(payload, 'payload'), signed: `${head}.${payload}`, signature };
}

function algorithmOf(header: JsonObject): JwtAlgorithm {
  const algorithm = jwtAlgorithm(header['alg']);
  if (!algorithm) throw new Refusal('token_algorithm_forbidden', `alg ${JSON.stringify(header['alg'])?.slice(0, 20)}`);
  // RFC 7515 §4.1.11: an extension that is not understood must be refused, and none is understood here.
  if (Object.hasOwn(header, 'crit')) throw malformed('crit in the header');
  // RFC 7797 §7: a token must not use b64, whether or not crit names it. RFC 7519 §5.2: cty announces a token inside.
  for (const name of ['b64', 'cty']) if (Object.hasOwn(header, name)) throw malformed(`${name} in the header`);
  // RFC 8725 §3.11: a token made for another purpose says so in its type.
  const type = header['typ'];
  if (type !== undefined && (typeof type !== 'string' || type.toUpperCase() !== 'JWT'))
    throw malformed('another type of token');
  return algorithm;
}

function keyIdOf(header: JsonObject): string | undefined {
  const keyId = header['kid'];
  if (keyId === undefined) return undefined;
  if (typeof keyId !== 'string' || keyId === '' || keyId.length > 256) throw malformed('kid is not a short text');
  return keyId;
}

function jsonPart(part: string, name: string): JsonObject {
  const bytes = decodePart(part, name);
  try {
    return parseStrictJson(bytes);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // The words of JSON.parse quote the input: they stay out.
    throw malformed(`${name} is not a JSON object with unique names`);
  }
}

/** RFC 7515 §2: base64url without padding, and only its one canonical spelling, so that one token has one hash. */
function decodePart(part: string, name: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (part === '' || bytes.toString('base64url') !== part) throw malformed(`${name} is not canonical base64url`);
  return bytes;
}

function malformed(detail: string): Refusal {
  return new Refusal('token_malformed', detail);
}
