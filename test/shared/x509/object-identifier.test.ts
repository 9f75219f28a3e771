import { expect } from 'chai';
import fc from 'fast-check';
import { DerError, DerReader } from '../../../shared/x509/der-reader.ts';
import { oid } from '../../../shared/x509/der-writer.ts';
import { readOid } from '../../../shared/x509/object-identifier.ts';
import { OID } from '../../../shared/x509/oids.ts';

const read = (hex: string): string => readOid(new DerReader(Buffer.from(hex, 'hex')));

describe('object identifier', () => {
  it('comes back as written, those that we know and others', () => {
    for (const dotted of [
      ...Object.values(OID),
      '0.0',
      '0.39',
      '1.39',
      '2.0',
      '2.39',
      '2.40',
      '2.999.1',
      '1.3.6.1.4.1.37476.9.1',
    ]) {
      expect(readOid(new DerReader(oid(dotted)))).to.equal(dotted);
    }
  });

  it('comes back with arcs of any size, as in 2.25 followed by a UUID', () => {
    const arc = fc.bigInt({ min: 0n, max: 2n ** 128n });
    fc.assert(
      fc.property(fc.array(arc, { maxLength: 3 }), (arcs) => {
        const dotted = ['2.25', ...arcs].join('.');
        expect(readOid(new DerReader(oid(dotted)))).to.equal(dotted);
      }),
    );
  });

  it('is encoded as everyone does', () => {
    expect(oid('1.2.840.10045.4.3.2').toString('hex')).to.equal('06082a8648ce3d040302');
    expect(oid('2.5.29.17').toString('hex')).to.equal('0603551d11');
  });

  it('may have up to 64 octets', () => {
    expect(read(`0640${'2a'.repeat(64)}`)).to.match(/^1\.2(\.42){63}$/);
  });

  const refused: Record<string, string> = {
    'no octets': '0600',
    'an arc with leading zeros': '06028001',
    'a later arc with leading zeros': '06032a8001',
    'an arc that is cut off': '06022a86',
    'more than 64 octets': `0641${'2a'.repeat(65)}`,
  };
  for (const [what, hex] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      expect(() => read(hex)).to.throw(DerError);
    });
  }
});
