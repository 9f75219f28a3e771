import { expect } from 'chai';
import fc from 'fast-check';
import { DerError, DerReader, TAG } from '../../../shared/x509/der-reader.ts';
import { integer, octets, seq, tlv } from '../../../shared/x509/der-writer.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const reader = (hex: string): DerReader => new DerReader(bytes(hex));

describe('DER reader', () => {
  it('walks nested elements without copying', () => {
    const der = seq(integer(5), seq(octets(Buffer.from('ab'))));
    const outer = new DerReader(der);
    const body = outer.enter(TAG.sequence);
    outer.finish();
    expect(body.peek()).to.equal(TAG.integer);
    expect(body.element()).to.deep.equal(bytes('020105'));
    const content = body.enter(TAG.sequence).content(TAG.octetString);
    expect(content.toString()).to.equal('ab');
    expect(content.buffer).to.equal(der.buffer);
    expect(body.atEnd).to.equal(true);
    expect(body.peek()).to.equal(-1);
  });

  it('reads back what the writer writes, of any length', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_000]) {
      const content = Buffer.alloc(length, 7);
      expect(new DerReader(octets(content)).content(TAG.octetString).equals(content), `${length}`).to.equal(true);
    }
  });

  const refused: Record<string, string> = {
    'no bytes': '',
    'a tag alone': '04',
    'content that is cut off': '04 02 00',
    'a length that is cut off': '04 82 01',
    'the indefinite form': '04 80 00 00',
    'a long form that fits the short one': '04 81 01 00',
    'a long form with a leading zero': `04 82 00 80 ${'00'.repeat(128)}`,
    'the indefinite form before 128 octets': `04 80 ${'00'.repeat(128)}`,
    'a length of four octets': '04 84 00 00 00 01 00',
    'the reserved length ff': '04 ff 00',
    'a length of 2^24 - 1': '04 83 ff ff ff 00',
    'another tag': '05 00',
    'a primitive octet string written as constructed': '24 04 04 02 00 00',
  };
  for (const [what, hex] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      expect(() => reader(hex).content(TAG.octetString)).to.throw(DerError);
    });
  }

  it('refuses high tag numbers even when asked to skip', () => {
    expect(() => reader('1f 01 00').skip()).to.throw(DerError);
    expect(() => reader('bf 01 00').element()).to.throw(DerError);
  });

  it('refuses to skip where nothing is left', () => {
    expect(() => reader('').skip()).to.throw(DerError);
    expect(() => reader('').element()).to.throw(DerError);
  });

  it('never reads beyond the element that it is in', () => {
    const inner = reader('30 02 04 01 00').enter(TAG.sequence);
    expect(() => inner.content(TAG.octetString)).to.throw(DerError);
  });

  it('notices what is left over', () => {
    const outer = reader('05 00 00');
    outer.skip(TAG.null);
    expect(() => outer.finish()).to.throw(DerError, 'trailing');
  });

  it('bounds size and depth', () => {
    expect(new DerReader(Buffer.alloc(64 * 1024)).atEnd).to.equal(false);
    expect(() => new DerReader(Buffer.alloc(64 * 1024 + 1))).to.throw(DerError, 'large');
    const deep = (levels: number): Buffer => (levels === 0 ? tlv(TAG.null) : seq(deep(levels - 1)));
    let at = new DerReader(deep(16));
    for (let level = 0; level < 16; level += 1) at = at.enter(TAG.sequence);
    at.skip(TAG.null);
    at = new DerReader(deep(40));
    const dive = () => {
      for (;;) at = at.enter(TAG.sequence);
    };
    expect(dive).to.throw(DerError, 'deep');
  });

  it('throws nothing but DerError on any bytes, and always moves forward', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
        const at = new DerReader(Buffer.from(input));
        let left = input.length;
        try {
          while (!at.atEnd) {
            const element = at.element();
            expect(element.length).to.be.within(2, left);
            left -= element.length;
          }
          expect(left).to.equal(0);
        } catch (error) {
          expect(error).to.be.instanceOf(DerError);
        }
      }),
    );
  });
});
