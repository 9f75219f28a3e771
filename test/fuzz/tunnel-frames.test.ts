import { fuzzTunnelFrames } from './tunnel-frames.fuzz.ts';

describe('any frames from a peer', () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? process.hrtime.bigint() & 0xffffffffn);

  it(`break nothing: 3 000 sequences from seed ${seed}`, () => fuzzTunnelFrames(3000, seed));

  it('break nothing: 500 sequences that are always the same', () => fuzzTunnelFrames(500, 20_240_229));
});
