import { expect } from 'chai';
import fc from 'fast-check';
import { DerError, DerReader, TAG } from '../../../shared/x509/der-reader.ts';
import {
  readDefaultFalse,
  readNamedBits,
  readOctetBits,
  readPositiveInteger,
  readSmallInteger,
  readTime,
} from '../../../shared/x509/der-values.ts';
import { bits, bool, integer, namedBits, tlv, utcOrGeneralTime } from '../../../shared/x509/der-writer.ts';

const read = <T>(hex: string, by: (reader: DerReader) => T): T => by(new DerReader(Buffer.from(hex, 'hex')));
const timeOf = (text: string, tag: number) => readTime(new DerReader(tlv(tag, Buffer.from(text, 'latin1'))));

function refusesAll(by: (reader: DerReader) => unknown, cases: Readonly<Record<string, string>>): void {
  for (const [what, hex] of Object.entries(cases)) {
    it(`refuses ${what}`, () => {
      expect(() => read(hex, by)).to.throw(DerError);
    });
  }
}

describe('boolean with default false', () => {
  it('is false when absent and true when ff', () => {
    expect(readDefaultFalse(new DerReader(Buffer.alloc(0)))).to.equal(false);
    expect(readDefaultFalse(new DerReader(bool(true)))).to.equal(true);
  });
  refusesAll(readDefaultFalse, {
    'false written out': '010100',
    'another true': '010101',
    'two octets': '0102ffff',
    none: '0100',
  });
});

describe('small integer', () => {
  it('comes back as written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fffffff }), (value) => {
        expect(readSmallInteger(new DerReader(integer(value)))).to.equal(value);
      }),
    );
  });
  refusesAll((reader) => readSmallInteger(reader), {
    'no octets': '0200',
    'a leading zero': '02020001',
    'a negative one': '020180',
    '2^31': '02050080000000',
    '2^32 and more': '02050100000000',
    'nine octets': '0209010000000000000000',
  });
});

describe('positive integer', () => {
  it('is its magnitude without the sign octet', () => {
    expect(read('02020080', readPositiveInteger).toString('hex')).to.equal('80');
    expect(read('02017f', readPositiveInteger).toString('hex')).to.equal('7f');
  });
  it('comes back as written', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 160n }), (value) => {
        const magnitude = readPositiveInteger(new DerReader(integer(value)));
        expect(BigInt(`0x${magnitude.toString('hex')}`)).to.equal(value);
      }),
    );
  });
  refusesAll(readPositiveInteger, {
    zero: '020100',
    'a negative one': '020180',
    'two leading zeros': '0203000080',
    'a leading ff': '0202ff80',
    'no octets': '0200',
  });
});

describe('bit strings', () => {
  it('of whole octets are read without the count of unused bits', () => {
    expect(readOctetBits(new DerReader(bits(Buffer.from('ab'))))).to.deep.equal(Buffer.from('ab'));
  });
  refusesAll(readOctetBits, { 'unused bits': '03020780', 'no octets': '0300' });

  it('with named bits come back as written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 31 }), { minLength: 1 }), (set) => {
        const expected = set.reduce((all, bit) => all + 2 ** (31 - bit), 0);
        expect(readNamedBits(new DerReader(namedBits(...set)))).to.equal(expected);
      }),
    );
  });
  refusesAll(readNamedBits, {
    'no bit': '030100',
    'no octets': '0300',
    'eight unused bits': '03020880',
    'a trailing zero bit': '03020680',
    'a trailing zero octet': '0303008000',
    'an unused bit that is set': '03020781',
    'more than 32 bits': '0306000000000001',
  });
});

describe('time', () => {
  it('comes back as written, to the second', () => {
    const last = Date.UTC(9999, 11, 31, 23, 59, 59);
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: last / 1000 }), (seconds) => {
        expect(readTime(new DerReader(utcOrGeneralTime(seconds * 1000 + 999)))).to.equal(seconds * 1000);
      }),
    );
    expect(timeOf('99991231235959Z', TAG.generalizedTime)).to.equal(last);
  });

  it('turns the century at 50 in UTCTime (RFC 5280 §4.1.2.5.1)', () => {
    expect(timeOf('500101000000Z', TAG.utcTime)).to.equal(Date.UTC(1950, 0, 1));
    expect(timeOf('20500101000000Z', TAG.generalizedTime)).to.equal(Date.UTC(2050, 0, 1));
    expect(timeOf('491231235959Z', TAG.utcTime)).to.equal(Date.UTC(2049, 11, 31, 23, 59, 59));
  });

  it('knows leap years', () => {
    expect(timeOf('240229000000Z', TAG.utcTime)).to.equal(Date.UTC(2024, 1, 29));
    expect(timeOf('24000229000000Z', TAG.generalizedTime)).to.equal(Date.UTC(2400, 1, 29));
  });

  it('is not written outside of 1950 to 9999', () => {
    for (const ms of [Date.UTC(1949, 11, 31), Date.UTC(10_000, 0, 1), Number.NaN]) {
      expect(() => utcOrGeneralTime(ms)).to.throw(DerError);
    }
  });

  const utc = [
    '2401010000Z',
    '240101000000',
    '240101000000+0000',
    '2401010000000Z',
    '240101000060Z',
    '240101006000Z',
    '240101240000Z',
    '240001000000Z',
    '241301000000Z',
    '240100000000Z',
    '240132000000Z',
    '230229000000Z',
    '240431000000Z',
    '240631000000Z',
    '240931000000Z',
    '241131000000Z',
    '24010100000 Z',
    '-40101000000Z',
    '24010100000\xb2Z',
    '240101000000z',
    '',
  ];
  for (const text of utc) {
    it(`refuses UTCTime "${text}"`, () => {
      expect(() => timeOf(text, TAG.utcTime)).to.throw(DerError);
    });
  }
  const general = [
    '20491231235959Z',
    '20240101000000Z',
    '20500101000000.0Z',
    '20500101000000',
    '205001010000Z',
    '21000229000000Z',
    '20501301000000Z',
  ];
  for (const text of general) {
    it(`refuses GeneralizedTime "${text}"`, () => {
      expect(() => timeOf(text, TAG.generalizedTime)).to.throw(DerError);
    });
  }
});
