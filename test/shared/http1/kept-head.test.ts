import { expect } from 'chai';
import fc from 'fast-check';
import { KeptHead } from '../../../shared/http1/kept-head.ts';

const START = 'GET / HTTP/1.1\r\n';
const line = fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,8}$/), fc.stringMatching(/^[a-z\xe9 ]{0,8}$/), fc.boolean());

describe('a head that is kept', () => {
  it('goes on without what is left out, wherever in a buffer it stands and is put', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.nat(20), fc.nat(20), (lines, before, at) => {
        const gaps: number[] = [];
        let text = START;
        let kept = '';
        for (const [name, value, stays] of lines) {
          const whole = `${name}: ${value}\r\n`;
          const from = before + text.length;
          text += whole;
          if (stays) kept += whole;
          else gaps.push(from, from + whole.length);
        }
        const bytes = Buffer.from(`${'#'.repeat(before)}${text}\r\nbody`, 'latin1');
        const raw = { bytes, from: before, to: before + text.length, text };
        const head = new KeptHead(raw, before + START.length, gaps);
        const target = Buffer.alloc(at + head.mostBytes, '.');
        expect(target.toString('latin1', at, head.copyWhole(target, at))).to.equal(START + kept);
        expect(target.toString('latin1', at, head.copyFields(target, at))).to.equal(kept);
        expect(target.toString('latin1', 0, at)).to.equal('.'.repeat(at));
        expect([head.startLine, head.fields]).to.deep.equal([START.slice(0, -2), kept]);
      }),
    );
  });
});
