import { expect } from 'chai';
import { fuzzH2Calls } from './h2-calls.fuzz.ts';

const CONNECTIONS = 2_000;
/** Another one each day, so that the runs add up, and the same one when a failure is looked at again. */
const SEED = Math.floor(Date.now() / 86_400_000) * 10_000;

describe('the passive reader of HTTP/2', () => {
  it(`throws nothing and reads ${CONNECTIONS} good and damaged connections alike in any pieces`, () => {
    const { connections, served, lost, fault } = fuzzH2Calls(CONNECTIONS, SEED);
    expect(fault).to.equal(undefined);
    expect(connections).to.equal(CONNECTIONS);
    // Good and bad ones are met.
    expect(served).to.be.greaterThan(CONNECTIONS);
    expect([...lost.keys()]).to.include.members(['not_http2', 'malformed', 'header_compression']);
  });
});
