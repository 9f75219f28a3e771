/**
 * The key a development issuer signs with: made anew at each start, or kept in a file so that tokens stay good
 * over a restart. A file that others can read is refused. The private key never leaves this folder.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { Refusal } from '../../shared/errors/refusal.ts';

export type IssuerAlgorithm = 'ES256' | 'RS256';

export interface IssuerKey {
  readonly algorithm: IssuerAlgorithm;
  readonly keyId: string;
  readonly privateKey: KeyObject;
  /** As published: public members only. */
  readonly jwk: Readonly<Record<string, string | undefined>>;
}

export function makeIssuerKey(algorithm: IssuerAlgorithm): IssuerKey {
  const { privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return asIssuerKey(privateKey, algorithm);
}

/** @throws {Refusal} file_permissions_open, file_unreadable; a missing file is created */
export function keepIssuerKey(file: string, algorithm: IssuerAlgorithm): IssuerKey {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode;
  if (mode === undefined) {
    const key = makeIssuerKey(algorithm);
    // `wx`: never over a file that appeared meanwhile.
    writeFileSync(file, key.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
    return key;
  }
  if ((mode & 0o077) !== 0) throw new Refusal('file_permissions_open', file);
  return asIssuerKey(readPrivateKey(file, algorithm), algorithm);
}

function readPrivateKey(file: string, algorithm: IssuerAlgorithm): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(file));
  } catch (error) {
    // OpenSSL's words may quote a part of the file: they stay out.
    throw new Refusal(
      'file_unreadable',
      `${file} holds no private key (${(error as NodeJS.ErrnoException).code ?? 'malformed'})`,
    );
  }
  const fits =
    algorithm === 'ES256' ? key.asymmetricKeyDetails?.namedCurve === 'prime256v1' : key.asymmetricKeyType === 'rsa';
  if (!fits) throw new Refusal('file_unreadable', `${file} holds a key for another algorithm than ${algorithm}`);
  return key;
}

function asIssuerKey(privateKey: KeyObject, algorithm: IssuerAlgorithm): IssuerKey {
  const { kty, crv, x, y, n, e } = createPublicKey(privateKey).export({ format: 'jwk' });
  // RFC 7638 §3: the required members in the order of their names.
  const required = kty === 'EC' ? { crv, kty, x, y } : { e, kty, n };
  const keyId = createHash('sha256').update(JSON.stringify(required)).digest('base64url');
  return { algorithm, keyId, privateKey, jwk: { ...required, kid: keyId, alg: algorithm, use: 'sig' } };
}
