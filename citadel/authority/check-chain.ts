/**
 * Whether an authority may start to sign: one rule after the other, each with its own refusal, and at the end a trial
 * leaf, made as any other, that two independent verifiers must accept. The trial's private key is thrown away at once
 * and the certificate never leaves this function.
 */
import { generateKeyPairSync } from 'node:crypto';
import type { Randomness } from '../../shared/clock/clock.ts';
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import type { Certificate } from '../../shared/x509/certificate.ts';
import { keyKindOf } from '../../shared/x509/key-kind.ts';
import { anchorsOf } from '../../shared/x509/trust-anchors.ts';
import { verifySvid } from '../../shared/x509/verify-svid.ts';
import { type Authority, type AuthorityMaterial, createAuthority } from './authority.ts';
import { pkijsVerdict, type Verdict } from './pkijs-verdict.ts';
import { isSigningKey, publicSpki } from './software-signer.ts';

export interface ChainContext {
  readonly trustDomain: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly randomness: Randomness;
}

interface ChainRule {
  readonly code: RefusalCode;
  /** @returns what is wrong, beginning with the file; undefined when the rule holds */
  readonly broken: (material: AuthorityMaterial, context: ChainContext) => string | undefined;
}

const RULES: readonly ChainRule[] = [
  // Whoever verifies our certificates must know the algorithm.
  {
    code: 'authority_key_unsupported',
    broken: ({ signing, files }) =>
      isSigningKey(signing.spki) ? undefined : `${files.certificate}: ${keyKindOf(signing.spki).kind}`,
  },
  // Else nothing that we sign would verify.
  {
    code: 'authority_key_mismatch',
    broken: ({ signing, privateKey, files }) =>
      publicSpki(privateKey).equals(signing.spki) ? undefined : `${files.key} does not belong to ${files.certificate}`,
  },
  // SPIFFE X509-SVID §4.1, §4.3; RFC 5280 §4.2.1.9.
  {
    code: 'authority_not_ca',
    broken: (material) =>
      firstWrong(
        material,
        ({ isCa, keyUsage }) => !isCa || keyUsage?.keyCertSign !== true,
        'may not sign certificates',
      ),
  },
  // RFC 5280 §6.1.3 (a)(2).
  {
    code: 'authority_out_of_date',
    broken: (material, { now }) => firstWrong(material, (one) => !isInTime(one, now), 'is not valid now'),
  },
  // SPIFFE X509-SVID §3.2: an authority's own ID has no path and lies in the trust domain it signs for.
  {
    code: 'authority_trust_domain_mismatch',
    broken: (material, { trustDomain }) =>
      firstWrong(
        material,
        ({ uriNames }) => uriNames.some((uri) => isForeign(uri, trustDomain)),
        `is not of trust domain ${trustDomain}`,
      ),
  },
];

/** @throws {Refusal} authority_*, naming the file */
export async function checkChain(
  material: AuthorityMaterial,
  context: ChainContext,
  secondOpinion: typeof pkijsVerdict = pkijsVerdict,
): Promise<void> {
  for (const { code, broken } of RULES) {
    const reason = broken(material, context);
    if (reason !== undefined) throw new Refusal(code, reason);
  }
  const trial = signTrial(material, context);
  const chain = [trial.leaf, ...material.path.map(({ der }) => der)];
  const ours = ownVerdict(chain, trial.authority, context.now);
  const theirs = await secondOpinion(chain, trial.authority.bundle.authorities, context.now);
  if (ours === undefined && theirs === undefined) return;
  const verdicts = `own verifier: ${ours ?? 'valid'}; pkijs: ${theirs ?? 'valid'}`;
  throw new Refusal(
    'authority_chain_invalid',
    `${material.files.certificate} under ${material.files.roots}: ${verdicts}`,
  );
}

function signTrial(
  material: AuthorityMaterial,
  { trustDomain, now, randomness }: ChainContext,
): { authority: Authority; leaf: Buffer } {
  const authority = createAuthority(material, trustDomain, 0, randomness);
  const spki = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' });
  const second = Math.floor(now / 1000) * 1000;
  const spiffeId = `spiffe://${trustDomain}/citadel/self-check`;
  return { authority, leaf: authority.signLeaf({ spki, spiffeId, notBefore: second, notAfter: second + 1000 }).der };
}

function ownVerdict(chain: readonly Buffer[], authority: Authority, now: number): Verdict {
  try {
    verifySvid(chain, anchorsOf([authority.bundle]), now);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return [error.code, error.detail].filter((part) => part !== '').join(' ');
    return error instanceof Error ? error.message : String(error);
  }
}

/** Looks at the signing certificate, the path above it and the root, in this order. */
function firstWrong(
  material: AuthorityMaterial,
  isWrong: (one: Certificate) => boolean,
  words: string,
): string | undefined {
  const { signing, path, root, files } = material;
  const wrong = [signing, ...path, root].find(isWrong);
  if (wrong === undefined) return undefined;
  const from = new Date(wrong.notBefore).toISOString();
  const until = new Date(wrong.notAfter).toISOString();
  const file = wrong === root ? files.roots : files.certificate;
  return `${file}: certificate ${wrong.serial} (${from} to ${until}) ${words}`;
}

function isInTime({ notBefore, notAfter }: Certificate, now: number): boolean {
  return notBefore <= now && now <= notAfter;
}

function isForeign(uri: string, trustDomain: string): boolean {
  return uri.startsWith('spiffe://') && uri !== `spiffe://${trustDomain}`;
}
