import { expect } from 'chai';
import { FUZZERS } from './http1-heads.fuzz.ts';

const MESSAGES = 200_000;

describe('the reader of HTTP/1.1 against Node’s, for long', () => {
  for (const [what, fuzz] of Object.entries(FUZZERS)) {
    it(`reads ${MESSAGES} ${what} as Node does, or not at all`, async () => {
      // The failure says the seed of the one message that shows it.
      const { messages, fault } = await fuzz(MESSAGES, Date.now() % 1_000_000_000);
      expect(fault).to.equal(undefined);
      expect(messages).to.equal(MESSAGES);
    });
  }
});
