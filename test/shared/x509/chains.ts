/** Chains for the tables of cases: an authority for a.test, what it signed, and usual ways to spoil it. */
import { systemClock } from '../../../shared/clock/clock.ts';
import { contextPrimitive, extension, seq } from '../../../shared/x509/der-writer.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { createTestAuthority, type TestAuthorityOptions, type TestSvidOptions } from '../../support/test-authority.ts';
import { type CertificateOptions, commonName, makeKeys } from '../../support/test-certificate.ts';

export interface Chain {
  readonly chain: readonly Buffer[];
  /** The one authority of trust domain a.test. */
  readonly root: Buffer;
}

const HOUR = 3_600_000;
const now = (): number => systemClock.now();
export const past = () => ({ notBefore: now() - 2 * HOUR, notAfter: now() - HOUR });
export const future = () => ({ notBefore: now() + HOUR, notAfter: now() + 2 * HOUR });

export const root = (options: Partial<TestAuthorityOptions> = {}) =>
  createTestAuthority({ trustDomain: 'a.test', ...options });

/** A leaf directly under the root. */
export function leaf(options: TestSvidOptions = {}, rootOptions: Partial<TestAuthorityOptions> = {}): Chain {
  const authority = root(rootOptions);
  return { chain: authority.svid(options).chainDer, root: authority.der };
}

/** A leaf under one intermediate. */
export function under(intermediate: Partial<CertificateOptions>, leafOptions: TestSvidOptions = {}): Chain {
  const authority = root();
  return { chain: authority.intermediate(intermediate).svid(leafOptions).chainDer, root: authority.der };
}

/** The same with one bit of the signature of certificate `i` turned over. */
export function forged({ chain, root: anchor }: Chain, i: number): Chain {
  const copy = chain.map((der) => Buffer.from(der));
  const der = copy[i]!;
  der[der.length - 1]! ^= 1;
  return { chain: copy, root: anchor };
}

export function underTwo(upper: Partial<CertificateOptions>, lower: Partial<CertificateOptions>): Chain {
  const authority = root();
  return { chain: authority.intermediate(upper).intermediate(lower).svid().chainDer, root: authority.der };
}

export function rootPathLength(): Chain {
  const authority = root({ pathLength: 0 });
  return { chain: authority.intermediate().svid().chainDer, root: authority.der };
}

export function weakIntermediate(): Chain {
  const authority = root();
  return { chain: authority.intermediate({ keyType: 'RSA-1024' }).svid().chainDer, root: authority.der };
}

export function withRootSent(): Chain {
  const authority = root();
  return { chain: [...authority.svid().chainDer, authority.der], root: authority.der };
}

/** The leaf is signed by the key of the intermediate, and names another issuer. */
export function namesApart(): Chain {
  const authority = root();
  const keys = makeKeys();
  const named = createTestAuthority({ trustDomain: 'a.test', subject: 'another', keys });
  return { chain: [...named.svid().chainDer, authority.intermediate({ keys }).der], root: authority.der };
}

/** The trusted root has the key that signed, under another name than the leaf says. */
export function renamedRoot(): Chain {
  const authority = root();
  const renamed = root({ subject: 'another', keys: authority.keys });
  return { chain: authority.svid().chainDer, root: renamed.der };
}

export function signedByLeaf(): Chain {
  const authority = root();
  const thief = makeKeys();
  const stolen = { keys: thief, subject: 'web', notBefore: now() - HOUR, notAfter: now() + HOUR };
  const honest = authority.svid(stolen).chainDer;
  const forger = createTestAuthority({ trustDomain: 'a.test', subject: 'web', keys: thief });
  if (!forger.name.equals(commonName('web'))) throw new Error('the names must chain for this case');
  return { chain: [...forger.svid().chainDer, ...honest], root: authority.der };
}

export function trailing(): Chain {
  const { chain, root: anchor } = leaf();
  return { chain: chain.map((der) => Buffer.concat([der, Buffer.from([0])])), root: anchor };
}

export function dnsConstraint(host: string): Buffer {
  const subtrees = seq(contextPrimitive(2, Buffer.from(host)));
  // [0] permittedSubtrees, one subtree.
  return extension(OID.nameConstraints, true, seq(Buffer.concat([Buffer.from([0xa0, subtrees.length]), subtrees])));
}
