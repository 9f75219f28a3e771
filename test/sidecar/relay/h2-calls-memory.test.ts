import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { H2_CALL_LIMITS } from '../../../sidecar/relay/h2-call-limits.ts';
import { FLAG, FRAME, PREFACE } from '../../../sidecar/tunnel/frame-format.ts';
import { frame, settings } from '../tunnel/tunnel-rig.ts';
import { Counted } from './h2-calls-rig.ts';

describe('the memory of a reader of calls', () => {
  it('is small at its limits: of long requests it keeps what a log line takes', () => {
    const counted = new Counted();
    counted.calls.fromClient(Buffer.concat([PREFACE, settings()]));
    const path = Buffer.alloc(30_000, 'p');
    // RFC 7541 §6.2.2 without Huffman, and one byte of difference, so that nothing can be shared.
    const request = Buffer.concat([Buffer.from([0x04, 127, 0xb1, 0xe9, 0x01]), path, Buffer.from([0x83])]);
    const before = heldBytes();
    for (let at = 0; at < H2_CALL_LIMITS.calls; at++) {
      request.writeUInt32BE(at, 5);
      counted.calls.fromClient(frame(FRAME.HEADERS, 0, 1 + 2 * at, request.subarray(0, 16_000)));
      counted.calls.fromClient(frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 1 + 2 * at, request.subarray(16_000)));
    }
    // 120 MB have passed.
    expect(heldBytes() - before).to.be.below(8 * 1024 * 1024);
    counted.calls.ended(undefined);
    expect(counted.served).to.have.length(H2_CALL_LIMITS.calls);
    expect(counted.served[0]!.path).to.have.length(512);
  });
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heldBytes(): number {
  // Buffers are given back by the collection after the one that found them.
  for (let left = 3; left > 0; left--) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
