import type { Socket } from 'node:net';
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { ChannelReceiver } from '../../../sidecar/channel/channel.ts';
import type { SocketChannel } from '../../../sidecar/channel/socket-channel.ts';
import { lentHead, spoil } from '../../support/lent-head.ts';
import { KINDS, LENDING, socketPair } from '../../support/socket-pairs.ts';
import { until } from '../../support/until.ts';

class Listener implements ChannelReceiver {
  readonly channel: SocketChannel;
  text = '';
  bytes = 0;
  ended = false;
  drains = 0;
  closed: { readonly failure: Refusal | undefined } | undefined;
  /** Called for what comes. */
  taken: (bytes: Buffer) => void = () => {};

  constructor(channel: SocketChannel) {
    this.channel = channel;
    channel.receiver = this;
  }

  onBytes(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (this.bytes < 10_000) this.text += bytes.toString('latin1');
    this.taken(bytes);
  }

  onEnd(): void {
    this.ended = true;
  }

  onDrain(): void {
    this.drains++;
  }

  onClose(failure: Refusal | undefined): void {
    this.closed = { failure };
  }
}

/** Whether the last byte has been read, told or not. Streams have no public name for it. */
function isAtEnd(socket: Socket): boolean {
  return (socket as Socket & { readonly _readableState: { readonly ended: boolean } })._readableState.ended;
}

const TEXT = Buffer.from('hello');
const WHY = new Refusal('connection_idle');

for (const kind of KINDS) {
  describe(`a channel over a ${kind} socket`, () => {
    it('delivers nothing before it has a receiver, and then everything', async () => {
      await using pair = await socketPair(kind);
      pair.other.send('first');
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      const listener = new Listener(pair.channel);
      await until('it has come', () => listener.text === 'first');
      expect([pair.channel.bytesRead, pair.channel.lends]).to.deep.equal([5, LENDING.has(kind)]);
    });

    it('is closed, and told so, when it is broken while its own end is still on its way', async () => {
      await using pair = await socketPair(kind);
      const listener = new Listener(pair.channel);
      pair.channel.write(TEXT, false);
      pair.channel.end();
      // Now the kernel has every byte, and has not said yet that the end is sent.
      await until('all has left', () => pair.channel.queued === 0);
      pair.channel.abort(WHY);
      await until('it is closed', () => listener.closed !== undefined);
      expect(listener.closed?.failure).to.equal(WHY);
    });

    it('carries on in one direction when the other has ended, whoever ends first, and closes in order', async () => {
      for (const first of ['here', 'there'] as const) {
        await using pair = await socketPair(kind);
        const listener = new Listener(pair.channel);
        if (first === 'here') pair.channel.end();
        else pair.other.send('last').end();
        if (first === 'here') await pair.other.closed();
        else await until('the end is told', () => listener.ended);
        expect(pair.channel.isEnded).to.equal(first === 'here');
        if (first === 'here') pair.other.send('last').end();
        else {
          pair.channel.write(TEXT, false);
          pair.channel.end();
          expect(await pair.other.closed()).to.equal('hello');
        }
        await until('it is closed', () => listener.closed);
        expect([listener.text, listener.ended, listener.closed?.failure]).to.deep.equal(['last', true, undefined]);
        expect(pair.channel.isClosed).to.equal(true);
      }
    });

    it('breaks so that the other side cannot take it for an end, and delivers nothing more', async () => {
      await using pair = await socketPair(kind);
      const listener = new Listener(pair.channel);
      pair.channel.write(TEXT, false);
      await pair.other.until('hello');
      pair.other.send('late');
      pair.channel.abort(WHY);
      await pair.other.closed();
      expect(pair.other.ended).to.equal(false);
      await until('it is closed', () => listener.closed);
      expect([listener.closed?.failure, listener.text]).to.deep.equal([WHY, '']);
      expect(pair.channel.write(TEXT, false)).to.equal(true);
    });

    it('tells a failure when the other side breaks', async () => {
      await using pair = await socketPair(kind);
      const listener = new Listener(pair.channel);
      pair.other.send('half');
      await until('it has come', () => listener.text === 'half');
      pair.reset();
      await until('it is closed', () => listener.closed);
      expect([listener.closed?.failure?.code, listener.ended]).to.deep.equal(['connection_broken', false]);
    });

    it('takes nothing away from the other side when it is given up after its end was sent', async () => {
      await using pair = await socketPair(kind);
      const listener = new Listener(pair.channel);
      pair.channel.write(TEXT, false);
      pair.channel.end();
      await until('it has left', () => pair.socket.writableFinished);
      pair.channel.abort(WHY);
      expect(await pair.other.closed()).to.equal('hello');
      expect(pair.other.ended).to.equal(true);
      await until('it is closed', () => listener.closed);
    });

    it('sends pieces that go on together, and at the end of the turn also when the rest never comes', async () => {
      await using pair = await socketPair(kind);
      new Listener(pair.channel);
      const writes: number[] = [];
      const write = pair.socket.write.bind(pair.socket);
      pair.socket.write = ((bytes: Buffer) => {
        writes.push(bytes.length);
        return write(bytes);
      }) as typeof pair.socket.write;
      pair.channel.write(Buffer.from('a'), false, true);
      pair.channel.write(Buffer.from('b'), true, true);
      expect([pair.channel.queued, writes]).to.deep.equal([2, []]);
      pair.channel.write(Buffer.from('c'), false, false);
      expect(writes).to.deep.equal([3]);
      await pair.other.until('abc');
      pair.channel.write(Buffer.from('d'), false, true);
      await pair.other.until('abcd');
      pair.channel.write(Buffer.from('e'), false, true);
      pair.channel.end();
      expect(await pair.other.closed()).to.equal('abcde');
      expect(pair.channel.bytesWritten).to.equal(5);
    });

    it('writes a head and a part of its body in order, small and large, in latin1', async () => {
      await using pair = await socketPair(kind);
      new Listener(pair.channel);
      const large = Buffer.alloc(50_000, 'x');
      pair.channel.writeHead(lentHead('\xe9\xff|'), Buffer.from('.body.'), 1, 5, false);
      pair.channel.writeHead(lentHead('|none|'), large, 0, 0, false);
      pair.channel.writeHead(lentHead('large|'), large, 0, large.length, false);
      pair.channel.writeHead(lentHead('lent|'), large, 0, large.length, true);
      large.fill('!');
      spoil();
      const text = await pair.other.until(/lent\|x{50000}/);
      expect(text.slice(0, 19)).to.equal('\xe9\xff|body|none|large|');
    });

    it('keeps no buffer that was lent to it, however much waits', async () => {
      await using pair = await socketPair(kind);
      new Listener(pair.channel);
      pair.other.socket.pause();
      const lent = Buffer.alloc(40_000);
      for (let at = 0; at < 200; at++) {
        lent.fill(97 + (at % 26));
        pair.channel.write(lent, true);
        lent.fill('!');
      }
      pair.channel.end();
      pair.other.socket.resume();
      const text = await pair.other.closed();
      expect(text.length).to.equal(8_000_000);
      expect(text.includes('!')).to.equal(false);
    });

    it('says stop only when much waits, and go on once it has left', async () => {
      await using pair = await socketPair(kind);
      const listener = new Listener(pair.channel);
      // More than a stream likes at once, and all of it gone at once.
      expect(pair.channel.write(Buffer.alloc(100_000), false)).to.equal(true);
      await until('it has come', () => pair.other.text.length === 100_000);
      pair.other.socket.pause();
      const piece = Buffer.alloc(1 << 20);
      let pieces = 0;
      while (pair.channel.write(piece, false)) pieces++;
      expect(pair.channel.queued).to.be.greaterThan(0);
      expect([listener.drains, pieces < 64]).to.deep.equal([0, true]);
      pair.other.socket.resume();
      await until('it is told', () => listener.drains === 1);
      expect(pair.channel.queued).to.equal(0);
    });

    it('delivers to a receiver that pauses at once only when it resumes, bytes before the end', async () => {
      await using pair = await socketPair(kind);
      pair.other.send('first').end();
      const listener = new Listener(pair.channel);
      pair.channel.pause();
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      expect([listener.text, listener.ended]).to.deep.equal(['', false]);
      listener.taken = () => expect(listener.ended).to.equal(false);
      pair.channel.resume();
      await until('the end is told', () => listener.ended);
      expect(listener.text).to.equal('first');
    });

    it('tells all that came, then the end, then the close, to who is paused while both directions end', async () => {
      await using pair = await socketPair(kind);
      const told: string[] = [];
      const listener = new Listener(pair.channel);
      listener.taken = () => pair.channel.pause();
      listener.onEnd = () => void told.push(`end after ${listener.bytes}`);
      listener.onClose = (failure) => {
        told.push('close');
        listener.closed = { failure };
      };
      pair.channel.end();
      await pair.other.closed();
      // Three records of TLS and its end, in one flight.
      pair.other.send('x'.repeat(48 * 1024)).end();
      await until('it has begun to come', () => listener.bytes > 0);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(told).to.deep.equal([]);
      listener.taken = () => {};
      pair.channel.resume();
      await until('it is closed', () => listener.closed !== undefined);
      expect([told, listener.closed?.failure]).to.deep.equal([['end after 49152', 'close'], undefined]);
    });

    it('is closed at once when it is given up while the rest waits to be wanted', async () => {
      await using pair = await socketPair(kind);
      const listener = new Listener(pair.channel);
      listener.taken = () => pair.channel.pause();
      pair.channel.end();
      await pair.other.closed();
      pair.other.send('x'.repeat(48 * 1024)).end();
      await until('it has begun to come', () => listener.bytes > 0);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      const { bytes } = listener;
      pair.channel.abort(WHY);
      await until('it is closed', () => listener.closed !== undefined);
      expect([listener.closed?.failure, listener.bytes, listener.ended]).to.deep.equal([WHY, bytes, false]);
    });

    it('tells an end only when it is resumed, also one that came before anybody received', async () => {
      await using pair = await socketPair(kind);
      pair.other.end();
      // Sockets of TLS that do not lend read by themselves, and have it now; the others read it when they are resumed.
      if (kind === 'TLS') await until('the end is here', () => isAtEnd(pair.socket));
      const listener = new Listener(pair.channel);
      pair.channel.pause();
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      expect(listener.ended).to.equal(false);
      pair.channel.resume();
      await until('it is told', () => listener.ended);
      pair.channel.end();
      await until('both have ended in order', () => listener.closed !== undefined);
      expect(listener.closed?.failure).to.equal(undefined);
    });

    it('delivers nothing while paused, and slows the other side down', async () => {
      await using pair = await socketPair(kind);
      const listener = new Listener(pair.channel);
      listener.taken = () => pair.channel.pause();
      const piece = 'x'.repeat(1 << 20);
      for (let at = 0; at < 32; at++) pair.other.send(piece);
      await until('it stands still', () => listener.bytes > 0 && pair.channel.isPaused);
      const held = listener.bytes;
      await until('the way is full', () => pair.other.socket.writableLength > 0);
      expect([listener.bytes, held <= 65_536]).to.deep.equal([held, true]);
      listener.taken = () => {};
      pair.channel.resume();
      await until('all has come', () => listener.bytes === 32 << 20);
    });
  });
}

describe('a channel over a lending socket', () => {
  for (const kind of LENDING)
    it(`delivers its bytes in a buffer that the next delivery overwrites: ${kind}`, async () => {
      await using pair = await socketPair(kind);
      const listener = new Listener(pair.channel);
      const kept: Buffer[] = [];
      listener.taken = (bytes) => void kept.push(bytes);
      pair.other.send('one');
      await until('it has come', () => kept.length === 1);
      pair.other.send('two');
      await until('it has come, too', () => kept.length === 2);
      expect(kept[0]!.toString()).to.equal('two');
    });
});
