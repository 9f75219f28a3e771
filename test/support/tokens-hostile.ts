/**
 * Every way we know to offer a wrong token, each with the code it must meet. Made from one good set of claims and
 * the issuer's own key, so that nothing but the named fault is wrong. Used against the parts and against citadel.
 */
import { createHmac, randomUUID } from 'node:crypto';
import type { RefusalCode } from '../../shared/errors/refusal.ts';
import {
  type Claims,
  jsonPart,
  makeSigningKey,
  type SigningKey,
  signatureOver,
  signToken,
  textPart,
  withKubernetes,
} from './tokens.ts';

export interface HostileToken {
  readonly fault: string;
  readonly token: string;
  readonly code: RefusalCode;
}

/** Faults of form: refused before any claim is read. */
export function malformedTokens(claims: Claims, key: SigningKey): HostileToken[] {
  const good = signToken(claims, key);
  const [head, payload, tail] = good.split('.') as [string, string, string];
  const signedAs = (header: string, body: string): string => {
    const signed = `${header}.${body}`;
    return `${signed}.${signatureOver(signed, key).toString('base64url')}`;
  };
  const twice = JSON.stringify(claims).replace('"aud"', '"aud":"citadel","\\u0061ud"');
  const malformed = (fault: string, token: string): HostileToken => ({ fault, token, code: 'token_malformed' });
  return [
    { fault: 'nothing', token: '', code: 'token_missing' },
    { fault: '1 MiB', token: 'a'.repeat(1 << 20), code: 'token_too_large' },
    {
      fault: 'a large but well-formed token',
      token: signToken({ ...claims, filler: 'x'.repeat(8192) }, key),
      code: 'token_too_large',
    },
    malformed('garbage', 'not.a.token'),
    malformed('one part', head),
    malformed('four parts', `${good}.${tail}`),
    malformed('five parts, an encrypted token', `${good}.${tail}.${tail}`),
    malformed('a line break at the end', `${good}\n`),
    malformed('padding', signedAs(head, `${payload}==`)),
    malformed('another spelling of the same bytes', `${head}.${payload}.${lastLetterChanged(tail)}`),
    malformed('letters of plain base64', `${head}.${payload}.${tail.slice(0, -1)}+`),
    malformed('an empty signature', `${head}.${payload}.`),
    malformed('a header that is a list', signedAs(textPart('[]'), payload)),
    malformed('claims that are a list', signedAs(head, textPart('[1]'))),
    malformed('claims with a name twice, once escaped', signedAs(head, textPart(twice))),
    malformed(
      'claims that are not UTF-8',
      signedAs(head, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')),
    ),
    malformed(
      'a header with alg twice',
      signedAs(textPart(`{"alg":"none","alg":"${key.algorithm}","kid":"${key.keyId}"}`), payload),
    ),
    malformed('crit in the header', signToken(claims, key, { crit: ['exp'] })),
    malformed('b64 in the header', signToken(claims, key, { b64: false })),
    malformed('b64 in the header, and named critical', signToken(claims, key, { b64: false, crit: ['b64'] })),
    malformed('another token inside', signToken(claims, key, { cty: 'JWT' })),
    malformed('another type of token', signToken(claims, key, { typ: 'at+jwt' })),
  ];
}

/** Faults of signature and algorithm. */
export function forgedTokens(claims: Claims, key: SigningKey): HostileToken[] {
  const [head, , tail] = signToken(claims, key).split('.') as [string, string, string];
  const stranger = makeSigningKey(key.algorithm, key.keyId);
  const forbidden = (fault: string, token: string): HostileToken => ({
    fault,
    token,
    code: 'token_algorithm_forbidden',
  });
  return [
    forbidden('alg none', `${jsonPart({ alg: 'none' })}.${jsonPart(claims)}.`),
    forbidden('alg nOnE with the issuer’s kid', `${jsonPart({ alg: 'nOnE', kid: key.keyId })}.${jsonPart(claims)}.`),
    forbidden('HS256 with the public key as its secret', hmacToken(claims, key)),
    forbidden('no alg', signToken(claims, key, { alg: undefined })),
    forbidden(
      'an algorithm of the same family that the key is not for',
      signToken(claims, key, { alg: siblingOf(key) }),
    ),
    {
      fault: 'a signature by a stranger under the issuer’s kid',
      token: signToken(claims, stranger),
      code: 'token_signature_invalid',
    },
    {
      fault: 'claims changed after signing',
      token: `${head}.${jsonPart({ ...claims, jti: randomUUID() })}.${tail}`,
      code: 'token_signature_invalid',
    },
    { fault: 'a kid nobody knows', token: signToken(claims, key, { kid: 'nobody' }), code: 'token_key_unknown' },
    { fault: 'no kid', token: signToken(claims, key, { kid: undefined }), code: 'token_key_unknown' },
  ];
}

/** Faults of the claims under a good signature. @param now milliseconds since the Unix epoch */
export function misclaimedTokens(claims: Claims, key: SigningKey, now: number): HostileToken[] {
  const second = Math.floor(now / 1000);
  const with_ = (fault: string, change: Claims, code: RefusalCode): HostileToken => ({
    fault,
    token: signToken({ ...claims, ...change }, key),
    code,
  });
  const bound = (fault: string, change: Claims, code: RefusalCode): HostileToken => ({
    fault,
    token: signToken(withKubernetes(claims, change), key),
    code,
  });
  return [
    with_('another audience', { aud: ['vault'] }, 'token_audience_wrong'),
    with_('the audience in other letters', { aud: 'Citadel' }, 'token_audience_wrong'),
    with_('no audience', { aud: undefined }, 'token_audience_wrong'),
    with_('an empty list of audiences', { aud: [] }, 'token_audience_wrong'),
    with_('two audiences, ours first', { aud: ['citadel', 'vault'] }, 'token_audience_several'),
    with_('our audience twice', { aud: ['citadel', 'citadel'] }, 'token_audience_several'),
    with_('expired', { iat: second - 7200, nbf: second - 7200, exp: second - 3600 }, 'token_expired'),
    with_('not yet valid', { iat: second, nbf: second + 600, exp: second + 3600 }, 'token_not_yet_valid'),
    with_('issued in the future', { iat: second + 600, nbf: undefined, exp: second + 3600 }, 'token_not_yet_valid'),
    with_('a lifetime over policy', { exp: second + 366 * 86_400 }, 'token_lifetime_too_long'),
    with_('no expiry', { exp: undefined }, 'token_claims_invalid'),
    with_('an expiry in words', { exp: 'never' }, 'token_claims_invalid'),
    with_('no iat', { iat: undefined }, 'token_claims_invalid'),
    with_('an expiry before iat', { iat: second, nbf: undefined, exp: second - 1 }, 'token_claims_invalid'),
    with_('a sub of someone else', { sub: 'system:serviceaccount:shop:admin' }, 'token_claims_invalid'),
    with_('no kubernetes.io', { 'kubernetes.io': undefined }, 'token_claims_invalid'),
    with_(
      'a token from a Secret',
      { iss: 'kubernetes/serviceaccount', aud: undefined, exp: undefined },
      'token_legacy',
    ),
    with_('flat claims of a token from a Secret', { 'kubernetes.io/serviceaccount/namespace': 'shop' }, 'token_legacy'),
    bound('no pod', { pod: undefined }, 'token_without_pod'),
    bound('a pod without UID', { pod: { name: 'web-1' } }, 'token_claims_invalid'),
    bound('a namespace with a slash', { namespace: 'shop/sa/admin' }, 'token_claims_invalid'),
    bound('a service account that climbs', { serviceaccount: { name: '../admin', uid: 'u' } }, 'token_claims_invalid'),
  ];
}

function hmacToken(claims: Claims, { publicKey, keyId }: SigningKey): string {
  const signed = `${jsonPart({ alg: 'HS256', kid: keyId })}.${jsonPart(claims)}`;
  const secret = publicKey.export({ format: 'pem', type: 'spki' });
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** RS256 → PS256, ES256 → ES384: allowed by the list, but the key is for the other. */
function siblingOf({ algorithm }: SigningKey): string {
  if (algorithm.startsWith('ES')) return algorithm === 'ES384' ? 'ES256' : 'ES384';
  return algorithm.replace(/^./, (letter) => (letter === 'R' ? 'P' : 'R'));
}

/** base64url of 64 bytes ends in a letter of which only two bits count: four spellings decode alike. */
function lastLetterChanged(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1)!) ^ 1];
}
