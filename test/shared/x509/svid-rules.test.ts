import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { readCertificate } from '../../../shared/x509/certificate.ts';
import { DerError } from '../../../shared/x509/der-reader.ts';
import { bits, nil, oid, seq } from '../../../shared/x509/der-writer.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { checkSvidLeaf, LEAF_RULES } from '../../../shared/x509/svid-rules.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { BROKEN_PATHS } from './path-cases.ts';
import { NO_SVIDS } from './svid-cases.ts';

/** The detail of the refusal, or '' when the leaf is good or cannot be read. */
function detailOf(leaf: Buffer | undefined): string {
  try {
    if (leaf) checkSvidLeaf(readCertificate(leaf));
    return '';
  } catch (error) {
    if (error instanceof Refusal) return error.detail;
    if (error instanceof DerError) return '';
    throw error;
  }
}

describe('rules for the leaf of an SVID', () => {
  it('each have a name of their own', () => {
    expect(new Set(LEAF_RULES.map(({ name }) => name))).to.have.property('size', LEAF_RULES.length);
  });

  const details = [...BROKEN_PATHS, ...NO_SVIDS].map(({ make }) => detailOf(make().chain[0]));
  for (const { name } of LEAF_RULES) {
    it(`are each broken by some certificate of the tables: ${name}`, () => {
      expect(details).to.include(`rule: ${name}`);
    });
  }

  it('refuse a key that cannot be read as what it says it is', () => {
    const leaf = readCertificate(createTestAuthority({ trustDomain: 'a.test' }).svid().chainDer[0]!);
    const spki = seq(seq(oid(OID.rsaEncryption), nil()), bits(Buffer.from('x')));
    expect(() => checkSvidLeaf({ ...leaf, spki }))
      .to.throw(Refusal)
      .with.property('code', 'peer_algorithm_forbidden');
  });

  it('give the SPIFFE ID of a good leaf', () => {
    const { chainDer } = createTestAuthority({ trustDomain: 'a.test' }).svid();
    expect(checkSvidLeaf(readCertificate(chainDer[0]!))).to.deep.equal({
      uri: 'spiffe://a.test/ns/default/sa/web',
      trustDomain: 'a.test',
      path: '/ns/default/sa/web',
    });
  });
});
