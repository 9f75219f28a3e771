import { expect } from 'chai';
import { fuzzTunnelFrames } from './tunnel-frames.fuzz.ts';

describe('any frames from a peer, for long', () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? process.hrtime.bigint() & 0xffffffffn);

  it(`break nothing and keep nothing: 200 000 sequences from seed ${seed}`, async () => {
    await fuzzTunnelFrames(200_000, seed);
    expect(process.memoryUsage().heapUsed).to.be.below(300e6);
  });
});
