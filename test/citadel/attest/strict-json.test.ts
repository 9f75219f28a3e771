import { expect } from 'chai';
import * as fc from 'fast-check';
import { parseStrictJson } from '../../../citadel/attest/strict-json.ts';

const parse = (text: string) => parseStrictJson(Buffer.from(text));

describe('strict JSON', () => {
  for (const [fault, text] of [
    ['a name twice', '{"a":1,"a":2}'],
    ['a name twice, once escaped', '{"aud":1,"\\u0061ud":2}'],
    ['a name twice inside', '{"a":{"b":1,"c":[{}],"b":2}}'],
    ['a name twice in a list', '{"a":[1,{"b":1,"b":1}]}'],
    ['a name twice after a nested object', '{"a":{"x":"}"},"b":[],"a":0}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"a"'],
    ['half an object', '{"a":1'],
    ['a byte order mark', '\ufeff{}'],
  ] as const) {
    it(`refuses ${fault}`, () => {
      expect(() => parse(text)).to.throw(SyntaxError);
    });
  }

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseStrictJson(Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x30, 0x7d]))).to.throw(SyntaxError);
  });

  it('reads every object that JSON.stringify writes, like JSON.parse', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const text = JSON.stringify(value);
        expect(parse(text)).to.deep.equal(JSON.parse(text));
      }),
      { numRuns: 200 },
    );
  });

  it('lets the same name stand in different objects, and as a value beside its name', () => {
    expect(parse('{"a":{"a":["a","a",{"a":"a"}]}}')).to.deep.equal({ a: { a: ['a', 'a', { a: 'a' }] } });
  });
});
