/**
 * The claims of a service account token as typed values. A claim that is missing stays missing, for the rules
 * to judge; a claim of the wrong type or shape is refused here. It reads what Kubernetes writes, nothing else.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import { isNamespaceName, isObjectName, isObjectUid } from './object-names.ts';
import type { JsonObject } from './strict-json.ts';

/** A Kubernetes object that a token is bound to. */
export interface BoundObject {
  readonly name: string;
  readonly uid: string;
}

export interface TokenClaims {
  /** Made from a Secret, the way before Kubernetes 1.24. */
  readonly legacy: boolean;
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  readonly audiences: readonly string[];
  /** Seconds since the Unix epoch, like the next two. */
  readonly expiresAt: number | undefined;
  readonly notBefore: number | undefined;
  readonly issuedAt: number | undefined;
  readonly tokenId: string | undefined;
  readonly namespace: string | undefined;
  readonly serviceAccount: BoundObject | undefined;
  readonly pod: BoundObject | undefined;
  readonly node: BoundObject | undefined;
}

const LEGACY_ISSUER = 'kubernetes/serviceaccount';
const LEGACY_CLAIM = 'kubernetes.io/serviceaccount/';

/** @throws {Refusal} token_claims_invalid */
export function readClaims(claims: JsonObject): TokenClaims {
  const own = (name: string): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined);
  const kubernetes = objectIn(own('kubernetes.io'), 'kubernetes.io') ?? {};
  const namespace = textIn(kubernetes['namespace'], 'kubernetes.io namespace');
  if (namespace !== undefined && !isNamespaceName(namespace)) throw wrong('kubernetes.io namespace');
  return {
    legacy: own('iss') === LEGACY_ISSUER || Object.keys(claims).some((name) => name.startsWith(LEGACY_CLAIM)),
    issuer: textIn(own('iss'), 'iss'),
    subject: textIn(own('sub'), 'sub'),
    audiences: audiencesIn(own('aud')),
    expiresAt: timeIn(own('exp'), 'exp'),
    notBefore: timeIn(own('nbf'), 'nbf'),
    issuedAt: timeIn(own('iat'), 'iat'),
    tokenId: textIn(own('jti'), 'jti'),
    namespace,
    serviceAccount: boundIn(kubernetes['serviceaccount'], 'serviceaccount'),
    pod: boundIn(kubernetes['pod'], 'pod'),
    node: boundIn(kubernetes['node'], 'node'),
  };
}

/** RFC 7519 §4.1.3: one text, or a list of them. */
function audiencesIn(value: unknown): readonly string[] {
  const list = value === undefined ? [] : Array.isArray(value) ? value : [value];
  return list.map((one) => textIn(one, 'aud') ?? '');
}

/** RFC 7519 §2 NumericDate: a number, and one that fits a date. */
function timeIn(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value < 1e11)) throw wrong(name);
  return value;
}

function boundIn(value: unknown, kind: string): BoundObject | undefined {
  const bound = objectIn(value, kind);
  if (!bound) return undefined;
  const { name, uid } = bound;
  if (typeof name !== 'string' || !isObjectName(name) || typeof uid !== 'string' || !isObjectUid(uid))
    throw wrong(`${kind} name or uid`);
  return { name, uid };
}

function objectIn(value: unknown, name: string): JsonObject | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(name);
  return value as JsonObject;
}

function textIn(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > 1024) throw wrong(name);
  return value;
}

function wrong(name: string): Refusal {
  return new Refusal('token_claims_invalid', `${name} is of the wrong type or shape`);
}
