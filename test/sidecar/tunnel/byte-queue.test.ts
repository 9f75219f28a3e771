import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { ByteQueue } from '../../../sidecar/tunnel/byte-queue.ts';

describe('the byte queue', () => {
  it('gives everything back in order, whatever the pieces are', () => {
    let seed = 7;
    const draw = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const bytes = randomBytes(500_000);
    const queue = new ByteQueue();
    const out: Buffer[] = [];
    let put = 0;
    while (put < bytes.length || queue.length > 0) {
      if (put < bytes.length && draw(3) > 0) {
        const size = draw(4) === 0 ? 1 + draw(20_000) : 1 + draw(60);
        const piece = Buffer.from(bytes.subarray(put, put + size));
        put += piece.length;
        queue.push(piece, true);
        piece.fill(0);
      } else if (queue.length > 0) out.push(queue.take(1 + draw(9000)));
    }
    expect(Buffer.concat(out).equals(bytes)).to.equal(true);
  });

  it('keeps what was taken as it is while more is added', () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from('one'), false);
    const first = queue.take(100);
    queue.push(Buffer.from('two'), false);
    expect(first.toString()).to.equal('one');
    expect(queue.take(2).toString()).to.equal('tw');
    queue.push(Buffer.from('three'), false);
    expect(queue.take(100).toString()).to.equal('o');
    expect(queue.take(100).toString()).to.equal('three');
    expect(queue.length).to.equal(0);
  });

  it('keeps no large buffer alive for a small piece of it', () => {
    const queue = new ByteQueue();
    const large = Buffer.allocUnsafeSlow(1 << 20);
    for (let at = 0; at < 1000; at++) queue.push(large.subarray(at, at + 1), false);
    expect(queue.length).to.equal(1000);
    const taken = queue.take(10_000);
    expect(taken).to.have.length(1000);
    expect(taken.buffer.byteLength).to.be.lessThan(20_000);
  });
});
