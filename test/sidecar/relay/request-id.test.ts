import { expect } from 'chai';
import { systemRandomness } from '../../../shared/clock/clock.ts';
import { isRequestId, RequestIds } from '../../../sidecar/relay/request-id.ts';

describe('request ids', () => {
  it('are version 4 UUIDs, each given out once', () => {
    const ids = new RequestIds(systemRandomness);
    const made = Array.from({ length: 1000 }, () => ids.next());
    for (const id of made) expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(made).size).to.equal(1000);
    expect(made.every(isRequestId)).to.equal(true);
  });

  it('hold every byte of chance in its place', () => {
    const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, at) => at & 0xff));
    const ids = new RequestIds({ draw: () => 0, bytes });
    expect(ids.next()).to.equal('00010203-0405-4607-8809-0a0b0c0d0e0f');
    expect(ids.next()).to.equal('10111213-1415-4617-9819-1a1b1c1d1e1f');
  });
});
