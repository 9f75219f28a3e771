import { expect } from 'chai';
import { FUZZERS } from './http1-heads.fuzz.ts';

const MESSAGES = 3_000;
/** Another one each day, so that the runs add up, and the same one when a failure is looked at again. */
const SEED = Math.floor(Date.now() / 86_400_000) * 10_000;

describe('the reader of HTTP/1.1 against Node’s', () => {
  for (const [what, fuzz] of Object.entries(FUZZERS)) {
    it(`reads ${MESSAGES} ${what} as Node does, or not at all`, async () => {
      const { messages, taken, stricter, fault } = await fuzz(MESSAGES, SEED);
      expect(fault).to.equal(undefined);
      expect(messages).to.equal(MESSAGES);
      // Both ways of the comparison are met: what is taken, and what only Node takes.
      expect(taken).to.be.greaterThan(MESSAGES / 10);
      expect(stricter.size).to.be.greaterThan(2);
    });
  }
});
