/**
 * Makes an authority's files: everything for a first start, or a new intermediate under the root that is there. Decides
 * lifetimes and writes durably as one; the certificates themselves are made in ceremonies.ts, which is loaded here
 * and nowhere else. Callers hold the folder's lock.
 */
import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { Randomness } from '../../shared/clock/clock.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { NAMES } from './authority-files.ts';
import type { CeremonyRequest, IssuingRoot, KeyPair } from './ceremonies.ts';
import { serialNumber } from './serial-number.ts';

export interface CreationContext {
  readonly trustDomain: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly randomness: Randomness;
}

/** Content by file name, to be installed together. */
export type FreshFiles = Readonly<Record<string, string>>;

const DAY_MS = 86_400_000;
export const ROOT_LIFE_MS = 3652 * DAY_MS;
export const INTERMEDIATE_LIFE_MS = 30 * DAY_MS;
/** For verifiers whose clocks are behind, as for leaves. */
const BACKDATE_MS = 60_000;

const makeKeys = promisify(generateKeyPair);

/** A root that lives ten years and an intermediate under it. */
export async function createAuthorityFiles(context: CreationContext): Promise<FreshFiles> {
  const { createRoot } = await import('./ceremonies.ts');
  const keys = await makeKeys('ec', { namedCurve: 'P-384' });
  const notAfter = context.now + ROOT_LIFE_MS;
  const certificate = await createRoot(ceremony(context, keys, notAfter));
  const intermediate = await createIntermediateFiles(context, { certificate, privateKey: keys.privateKey, notAfter });
  return {
    ...intermediate,
    [NAMES.roots]: encodePem('CERTIFICATE', certificate),
    [NAMES.rootKey]: keyPem(keys.privateKey),
  };
}

/** A new key and its certificate, which does not outlive the root. */
export async function createIntermediateFiles(context: CreationContext, root: IssuingRoot): Promise<FreshFiles> {
  const { createIntermediate } = await import('./ceremonies.ts');
  const keys = await makeKeys('ec', { namedCurve: 'P-256' });
  const notAfter = Math.min(context.now + INTERMEDIATE_LIFE_MS, root.notAfter);
  const certificate = encodePem('CERTIFICATE', await createIntermediate(ceremony(context, keys, notAfter), root));
  // Istio's cert-chain.pem is what follows the leaf: here the signing certificate alone.
  return { [NAMES.certificate]: certificate, [NAMES.key]: keyPem(keys.privateKey), [NAMES.chain]: certificate };
}

function ceremony({ trustDomain, now, randomness }: CreationContext, keys: KeyPair, notAfter: number): CeremonyRequest {
  const notBefore = wholeSecond(now - BACKDATE_MS);
  return {
    trustDomain,
    keys,
    serial: serialNumber(randomness, notBefore),
    notBefore,
    notAfter: wholeSecond(notAfter),
  };
}

function keyPem(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
