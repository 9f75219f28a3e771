import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { H2 } from '../../../sidecar/tunnel/error-codes.ts';
import { FLAG, FRAME } from '../../../sidecar/tunnel/frame-format.ts';
import { until } from '../../support/until.ts';
import { acceptedStream, data, frame, headers, Notes, openedStream, settings, u32 } from './tunnel-rig.ts';

const END = data(1, '', FLAG.END_STREAM);
const reset = (code: number): Buffer => frame(FRAME.RST_STREAM, 0, 1, u32(code));
const ended = (peer: { of(type: number, stream: number): { flags: number }[] }): Promise<unknown> =>
  until('END_STREAM', () => peer.of(FRAME.DATA, 1).find(({ flags }) => flags === FLAG.END_STREAM));

describe('the ends of a stream', () => {
  for (const [role, open] of [
    ['server', acceptedStream],
    ['client', openedStream],
  ] as const) {
    describe(`at the ${role}`, () => {
      it('the peer ends first; ours goes on and ends later', async () => {
        const { peer, stream, session } = await open();
        const notes = Notes.on(stream);
        peer.send(data(1, 'last words'), END);
        await until('the end', () => notes.ends || undefined);
        expect(stream.write(Buffer.from('more'), false)).to.equal(true);
        expect(session.streams).to.equal(1);
        stream.end();
        expect(session.streams).to.equal(0);
        expect(notes.closes, 'not inside of end').to.equal(0);
        await notes.closed();
        await ended(peer);
        expect(peer.bytesOf(1).toString()).to.equal('more');
        expect(notes.order).to.deep.equal(['bytes', 'end', 'close']);
        expect(notes.failure).to.equal(undefined);
      });

      it('ours ends first; the peer goes on and ends later', async () => {
        const { peer, stream } = await open();
        const notes = Notes.on(stream);
        stream.write(Buffer.from('all'), false);
        stream.end();
        stream.end();
        expect(stream.write(Buffer.from('ignored'), false)).to.equal(true);
        await ended(peer);
        peer.send(data(1, 'answer', FLAG.END_STREAM));
        await notes.closed();
        expect(notes.text).to.equal('answer');
        expect(peer.bytesOf(1).toString()).to.equal('all');
        expect(notes.order).to.deep.equal(['bytes', 'end', 'close']);
        expect(peer.of(FRAME.RST_STREAM)).to.deep.equal([]);
      });

      it('ours ends in the call that tells of the peer’s end', async () => {
        const { peer, stream } = await open();
        const notes = Notes.on(stream);
        notes.onEnd = () => {
          Notes.prototype.onEnd.call(notes);
          stream.end();
          expect(notes.closes).to.equal(0);
        };
        peer.send(END);
        await notes.closed();
        expect(notes.order).to.deep.equal(['end', 'close']);
      });

      it('our end waits for what is queued, without a window of its own', async () => {
        const { peer, stream } = await open();
        const notes = Notes.on(stream);
        peer.send(settings({ INITIAL_WINDOW_SIZE: 0 }));
        await until('the ACK', () => peer.of(FRAME.SETTINGS).filter(({ flags }) => flags === FLAG.ACK)[1]);
        stream.write(Buffer.from('abc'), false);
        stream.end();
        peer.send(frame(FRAME.WINDOW_UPDATE, 0, 1, u32(3)));
        await ended(peer);
        expect(peer.bytesOf(1).toString()).to.equal('abc');
        expect(notes.drains).to.equal(0);
        peer.send(END);
        await notes.closed();
        expect(notes.failure).to.equal(undefined);
      });

      it('both have ended, and the bytes are still delivered to a receiver that was paused', async () => {
        const { peer, stream, session } = await open();
        const notes = Notes.on(stream);
        stream.pause();
        stream.end();
        const bytes = randomBytes(50_000);
        peer.send(data(1, bytes), END);
        await until('the slot is free', () => session.streams === 0 || undefined);
        expect(notes.order).to.deep.equal([]);
        session.drain();
        peer.socket.end();
        await until('the session is over', () => session.isClosed || undefined);
        stream.resume();
        await notes.closed();
        expect(notes.bytes.equals(bytes)).to.equal(true);
        expect(notes.order).to.deep.equal(['bytes', 'end', 'close']);
        expect(notes.failure).to.equal(undefined);
      });

      it('a session that is cut takes also those bytes away', async () => {
        const { peer, stream, session } = await open();
        const notes = Notes.on(stream);
        stream.pause();
        stream.end();
        peer.send(data(1, 'secret'), END);
        await until('the slot is free', () => session.streams === 0 || undefined);
        session.cut(new Refusal('peer_certificate_expired'));
        expect(notes.order).to.deep.equal(['close']);
        expect(notes.failure?.code).to.equal('peer_certificate_expired');
        stream.resume();
        expect(notes.length).to.equal(0);
      });

      it('the peer resets: the code is told, and nothing else after it', async () => {
        const { peer, stream } = await open();
        const notes = Notes.on(stream);
        stream.pause();
        peer.send(data(1, 'held'), reset(H2.CONNECT_ERROR), data(1, 'late'));
        await notes.closed();
        expect(notes.order).to.deep.equal(['close']);
        expect(notes.failure?.code).to.equal('tunnel_reset');
        expect(notes.failure?.detail).to.equal('CONNECT_ERROR');
        expect(stream.isEnded && stream.isClosed).to.equal(true);
        expect(stream.write(Buffer.from('x'), false)).to.equal(true);
        stream.end();
        stream.abort(new Refusal('tunnel_broken'));
        expect(notes.closes).to.equal(1);
      });

      it('NO_ERROR after its end means that ours is not needed (§8.1)', async () => {
        const { peer, stream } = await open();
        const notes = Notes.on(stream);
        peer.send(data(1, 'done', FLAG.END_STREAM), reset(H2.NO_ERROR));
        await notes.closed();
        expect(notes.order).to.deep.equal(['bytes', 'end', 'close']);
        expect(notes.failure).to.equal(undefined);
        expect(stream.isEnded).to.equal(true);
      });

      it('NO_ERROR without an end is no end in order: bytes may be missing', async () => {
        const { peer, stream } = await open();
        const notes = Notes.on(stream);
        peer.send(data(1, 'do'), reset(H2.NO_ERROR));
        await notes.closed();
        expect(notes.failure?.code).to.equal('tunnel_reset');
        expect(notes.ends).to.equal(0);
      });

      it('we abort: the peer gets the code, we get the reason, late frames are ignored', async () => {
        const { peer, stream, session, notes: sessionNotes } = await open();
        const notes = Notes.on(stream);
        peer.send(settings({ INITIAL_WINDOW_SIZE: 0 }));
        await until('the ACK', () => peer.of(FRAME.SETTINGS).filter(({ flags }) => flags === FLAG.ACK)[1]);
        stream.write(Buffer.from('never sent'), false);
        stream.abort(new Refusal('app_reset', 'ECONNRESET'));
        expect(notes.closes, 'not inside of abort').to.equal(0);
        expect(session.streams).to.equal(0);
        expect(await peer.resetOf(1)).to.equal(role === 'server' ? H2.CONNECT_ERROR : H2.CANCEL);
        peer.send(data(1, 'late'), frame(FRAME.WINDOW_UPDATE, 0, 1, u32(9)), reset(8), END);
        peer.send(frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
        await until('the answer', () => peer.of(FRAME.PING)[0]);
        expect(notes.order).to.deep.equal(['close']);
        expect(notes.failure?.code).to.equal('app_reset');
        expect(sessionNotes.closes).to.deep.equal([]);
      });

      it('an abort within a frame stops its delivery', async () => {
        const { peer, stream } = await open();
        const notes = Notes.on(stream);
        notes.onBytes = (bytes) => {
          Notes.prototype.onBytes.call(notes, bytes);
          stream.abort(new Refusal('app_reset'));
        };
        const whole = data(1, Buffer.alloc(30_000));
        peer.send(whole.subarray(0, 10_000));
        peer.send(whole.subarray(10_000), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
        await until('the answer', () => peer.of(FRAME.PING)[0]);
        expect(notes.length).to.equal(10_000 - 9);
        expect(notes.order).to.deep.equal(['bytes', 'close']);
      });

      it('the connection breaks: every stream is told before the session', async () => {
        const { peer, stream, notes: sessionNotes } = await open();
        const notes = Notes.on(stream);
        const onClose = sessionNotes.onClose.bind(sessionNotes);
        sessionNotes.onClose = (why) => {
          expect(notes.closes).to.equal(1);
          onClose(why);
        };
        peer.send(data(1, 'x'));
        await until('the byte', () => notes.length || undefined);
        peer.socket.destroy();
        await until('the session', () => sessionNotes.closes.length || undefined);
        expect(notes.failure?.code).to.equal('tunnel_broken');
        expect(sessionNotes.closes.map((why) => why?.code)).to.deep.equal(['tunnel_broken']);
      });
    });
  }

  it('a client that ends with its request, before it is accepted, is heard', async () => {
    const { peer, notes } = await acceptedStream();
    peer.send(headers(3, undefined, FLAG.END_HEADERS | FLAG.END_STREAM));
    const request = await until('the request', () => notes.requests[1]);
    const stream = request.accept();
    const seen = Notes.on(stream);
    await until('the end', () => seen.ends || undefined);
    stream.end();
    await seen.closed();
    expect(seen.failure).to.equal(undefined);
  });

  it('what a client sends before it is accepted waits for the receiver', async () => {
    const { peer, notes } = await acceptedStream();
    peer.send(headers(3), data(3, 'early'));
    const request = await until('the request', () => notes.requests[1]);
    peer.send(data(3, ' bird', FLAG.END_STREAM), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
    await until('the answer', () => peer.of(FRAME.PING)[0]);
    const seen = Notes.on(request.accept());
    expect(seen.order).to.deep.equal([]);
    await until('the end', () => seen.ends || undefined);
    expect(seen.text).to.equal('early bird');
  });

  it('bytes that follow an answer at once wait until whoever opened has a receiver', async () => {
    const { peer, session } = await openedStream();
    const opening = session.open('b:1');
    await until('HEADERS', () => peer.of(FRAME.HEADERS, 3)[0]);
    peer.send(headers(3, [[':status', '200']]), data(3, 'server first'), frame(FRAME.RST_STREAM, 0, 3, u32(8)));
    const stream = await opening;
    await until('the reset', () => stream.isClosed || undefined);
    const seen = Notes.on(stream);
    await seen.closed();
    expect(seen.order).to.deep.equal(['close']);
  });
});
