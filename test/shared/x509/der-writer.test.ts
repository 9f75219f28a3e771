import { expect } from 'chai';
import { DerError } from '../../../shared/x509/der-reader.ts';
import { integer, octets, set, tlv, utcOrGeneralTime } from '../../../shared/x509/der-writer.ts';

const hex = (der: Buffer): string => der.toString('hex');

describe('DER writer', () => {
  it('writes lengths in their shortest form', () => {
    const headers: readonly [number, string][] = [
      [0, '0400'],
      [127, '047f'],
      [128, '048180'],
      [255, '0481ff'],
      [256, '04820100'],
      [65_535, '0482ffff'],
    ];
    for (const [length, header] of headers) {
      expect(hex(octets(Buffer.alloc(length)).subarray(0, header.length / 2))).to.equal(header);
    }
  });

  it('writes nothing that the reader would find too large', () => {
    expect(() => tlv(0x04, Buffer.alloc(65_536))).to.throw(DerError);
  });

  it('writes integers in their shortest form, with a sign octet where it is needed', () => {
    const cases: readonly [number | bigint | Uint8Array, string][] = [
      [0, '020100'],
      [127, '02017f'],
      [128, '02020080'],
      [256, '02020100'],
      [2n ** 64n, '0209010000000000000000'],
      [Buffer.from('000080', 'hex'), '02020080'],
      [Buffer.from('00', 'hex'), '020100'],
      [Buffer.alloc(0), '020100'],
    ];
    for (const [value, der] of cases) expect(hex(integer(value))).to.equal(der);
    expect(() => integer(-1)).to.throw(DerError);
  });

  it('orders a SET OF by encoding (X.690 §11.6)', () => {
    expect(hex(set(integer(2), integer(1), octets()))).to.equal('310802010102010204' + '00');
  });

  it('changes from UTCTime to GeneralizedTime with the year 2050 (RFC 5280 §4.1.2.5)', () => {
    expect(
      utcOrGeneralTime(Date.UTC(2050, 0, 1) - 1)
        .subarray(2)
        .toString(),
    ).to.equal('491231235959Z');
    expect(
      utcOrGeneralTime(Date.UTC(2050, 0, 1))
        .subarray(2)
        .toString(),
    ).to.equal('20500101000000Z');
  });
});
