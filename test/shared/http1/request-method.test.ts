import { METHODS } from 'node:http';
import { expect } from 'chai';
import { methodText } from '../../../shared/http1/request-method.ts';

const read = (text: string): string => {
  const bytes = Buffer.from(`xx${text} /`, 'latin1');
  return methodText(bytes, 2, 2 + text.length);
};

describe('the text of a method', () => {
  it('is what stands there, for all that are registered and any other token', () => {
    for (const text of [...METHODS, 'get', 'Get', 'GETX', 'GE', 'PROPFINDX', 'X', "!#$%&'*+-.^_`|~"]) {
      expect(read(text)).to.equal(text);
    }
  });
});
