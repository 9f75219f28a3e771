import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { H2 } from '../../../sidecar/tunnel/error-codes.ts';
import { FLAG, FRAME, MOST_31_BITS } from '../../../sidecar/tunnel/frame-format.ts';
import { TunnelRefusal } from '../../../sidecar/tunnel/tunnel-refusal.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalOf } from '../../support/refusals.ts';
import { until } from '../../support/until.ts';
import {
  acceptedStream,
  data,
  frame,
  headers,
  joinedSessions,
  Notes,
  openedStream,
  rawRig,
  settings,
  u32,
} from './tunnel-rig.ts';

const OK = (id: number): Buffer => headers(id, [[':status', '200']]);
const goAway = (last: number, code = 0): Buffer => frame(FRAME.GOAWAY, 0, 0, u32(last, code));
const opens = (peer: { of(type: number): { stream: number }[] }): number[] =>
  peer.of(FRAME.HEADERS).map(({ stream }) => stream);

describe('opening streams', () => {
  it('waits in order for room beyond the peer’s limit, and asks as room comes', async () => {
    const { peer, session, notes } = rawRig('client');
    peer.greet({ MAX_CONCURRENT_STREAMS: 2 });
    await until('the limit', () => session.room === 2 || undefined);
    const done: number[] = [];
    for (let at = 0; at < 5; at++) void session.open(`app:${at}`).then((stream) => done.push(stream.id));
    await until('two', () => opens(peer).length === 2 || undefined);
    expect(session.room).to.equal(0);
    peer.send(OK(1), OK(3), frame(FRAME.RST_STREAM, 0, 1, u32(8)));
    await until('the third', () => opens(peer).length === 3 || undefined);
    peer.send(settings({ MAX_CONCURRENT_STREAMS: 10 }));
    await until('all', () => opens(peer).length === 5 || undefined);
    expect(opens(peer)).to.deep.equal([1, 3, 5, 7, 9]);
    peer.send(OK(5), OK(7), OK(9));
    await until('all answers', () => done.length === 5 || undefined);
    expect(done).to.deep.equal([1, 3, 5, 7, 9]);
    expect(session.room).to.equal(6);
    expect(notes.rooms).to.be.greaterThan(0);
  });

  for (const [status, code] of [
    [503, 'tunnel_refused'],
    [404, 'tunnel_refused'],
    [401, 'tunnel_forbidden'],
    [403, 'tunnel_forbidden'],
  ] as const) {
    it(`that is answered ${status} is ${code}, and the status is told`, async () => {
      const { peer, session } = rawRig('client');
      peer.greet();
      const opening = session.open('app:80', [['baggage', 'a=b']]);
      await until('HEADERS', () => peer.of(FRAME.HEADERS)[0]);
      peer.send(headers(1, [[':status', String(status)]], 5));
      const refusal = await refusalOf(opening);
      expect(refusal).to.be.instanceOf(TunnelRefusal).and.include({ code, peerStatus: status });
      expect(session.streams).to.equal(0);
    });
  }

  for (const [code, told] of [
    [H2.REFUSED_STREAM, 'tunnel_unprocessed'],
    [H2.INTERNAL_ERROR, 'tunnel_broken'],
  ] as const) {
    it(`that is reset with ${code} is ${told}`, async () => {
      const { peer, session } = rawRig('client');
      peer.greet();
      const opening = session.open('app:80');
      await until('HEADERS', () => peer.of(FRAME.HEADERS)[0]);
      peer.send(frame(FRAME.RST_STREAM, 0, 1, u32(code)));
      expect((await refusalOf(opening)).code).to.equal(told);
    });
  }

  it('ends after its time, asked or waiting, with one timer for all', async () => {
    const clock = new FakeClock();
    const { peer, session } = rawRig('client', { clock, limits: { openMs: 5000 } });
    peer.greet({ MAX_CONCURRENT_STREAMS: 1 });
    await until('the limit', () => session.room === 1 || undefined);
    const before = clock.pending;
    const asked = refusalOf(session.open('a:1'));
    await clock.advance(1000);
    const waiting = refusalOf(session.open('b:1'));
    expect(clock.pending - before).to.be.at.most(1);
    await clock.advance(4000);
    expect((await asked).code).to.equal('tunnel_open_timeout');
    expect(await peer.resetOf(1)).to.equal(H2.CANCEL);
    // Its turn came when the first one had given up.
    await until('the second', () => opens(peer).length === 2 || undefined);
    await clock.advance(1000);
    expect((await waiting).code).to.equal('tunnel_open_timeout');
  });

  it('is given up by its signal, asked or waiting or before', async () => {
    const { peer, session } = rawRig('client');
    peer.greet({ MAX_CONCURRENT_STREAMS: 1 });
    await until('the limit', () => session.room === 1 || undefined);
    const reason = new Refusal('draining');
    const [first, second] = [new AbortController(), new AbortController()];
    const asked = session.open('a:1', [], first.signal);
    const waiting = session.open('b:1', [], second.signal);
    second.abort(reason);
    first.abort(reason);
    expect(await refusalOf(asked)).to.equal(reason);
    expect(await refusalOf(waiting)).to.equal(reason);
    expect(await refusalOf(session.open('c:1', [], first.signal))).to.equal(reason);
    expect(await peer.resetOf(1)).to.equal(H2.CANCEL);
    expect(opens(peer)).to.deep.equal([1]);
  });

  it('assumes a limit before the peer has said one, and may begin at once', async () => {
    const { peer, session } = rawRig('client', { limits: { streamsBeforeSettings: 3 } });
    for (let at = 0; at < 4; at++) session.open('a:1').catch(() => undefined); // never answered
    await until('three', () => opens(peer).length === 3 || undefined);
    peer.greet();
    await until('the ACK', () => peer.of(FRAME.SETTINGS).length === 2 || undefined);
    expect(opens(peer)).to.have.length(3);
  });
});

describe('answering requests', () => {
  it('refuses with a status, and asks for no more of the stream', async () => {
    const { peer, notes } = await acceptedStream();
    peer.send(headers(3), headers(5, undefined, 5));
    await until('two requests', () => notes.requests[2]);
    notes.requests[1]!.refuse(401, [['x-why', 'policy']]);
    notes.requests[1]!.refuse(503);
    notes.requests[2]!.refuse(404);
    expect(await peer.statusOf(3)).to.equal('401');
    expect(await peer.statusOf(5)).to.equal('404');
    expect(await peer.resetOf(3)).to.equal(H2.NO_ERROR);
    expect(peer.of(FRAME.RST_STREAM, 5)).to.deep.equal([]);
    expect(peer.of(FRAME.HEADERS, 3)).to.have.length(1);
  });

  it('tells when the client gives up first; answering is then for nothing', async () => {
    const { peer, notes } = await acceptedStream();
    peer.send(headers(3));
    const request = await until('the request', () => notes.requests[1]);
    let gone = 0;
    request.onGone = () => void gone++;
    peer.send(frame(FRAME.RST_STREAM, 0, 3, u32(8)));
    await until('it is gone', () => gone || undefined);
    expect(request.isGone).to.equal(true);
    const seen = Notes.on(request.accept());
    await seen.closed();
    expect(gone).to.equal(1);
    expect(peer.of(FRAME.HEADERS, 3)).to.deep.equal([]);
  });

  it('answers 405 to everything else than CONNECT', async () => {
    const { peer, notes } = await acceptedStream();
    peer.send(
      headers(
        3,
        [
          [':method', 'GET'],
          [':scheme', 'https'],
          [':path', '/'],
          ['host', 'a'],
        ],
        5,
      ),
    );
    expect(await peer.statusOf(3)).to.equal('405');
    expect(notes.requests).to.have.length(1);
  });

  it('says its empty table again after the peer has changed the size of its own (RFC 7541 §4.2)', async () => {
    const { peer, notes } = await acceptedStream();
    peer.send(headers(3), settings({ HEADER_TABLE_SIZE: 100 }), headers(5), headers(7));
    await until('the requests', () => notes.requests[3]);
    for (const request of notes.requests) request.accept();
    await until('the answers', () => peer.of(FRAME.HEADERS, 7)[0]);
    const blocks = peer.of(FRAME.HEADERS).map(({ payload }) => payload.toString('hex'));
    expect(blocks).to.deep.equal(['2088', '2088', '88', '88']);
  });

  it('refuses streams beyond its limit unseen (§5.1.2)', async () => {
    const { peer, notes, session } = rawRig('server', { limits: { streams: 2 } });
    peer.greet();
    peer.send(headers(1), headers(3), headers(5));
    expect(await peer.resetOf(5)).to.equal(H2.REFUSED_STREAM);
    expect(notes.requests).to.have.length(2);
    peer.send(frame(FRAME.RST_STREAM, 0, 1, u32(8)), headers(7));
    await until('the next', () => notes.requests[2]);
    expect(session.streams).to.equal(2);
  });
});

describe('GOAWAY (RFC 9113 §6.8)', () => {
  it('of the peer: what it did not look at may be tried elsewhere, the rest goes on to its end', async () => {
    const { peer, session, notes, stream } = await openedStream({ peerSettings: { MAX_CONCURRENT_STREAMS: 3 } });
    const seen = Notes.on(stream);
    const [looked, not, waiting] = [session.open('b:1'), session.open('c:1'), session.open('d:1')];
    await until('three', () => opens(peer).length === 3 || undefined);
    peer.send(goAway(3));
    expect((await refusalOf(not)).code).to.equal('tunnel_unprocessed');
    expect((await refusalOf(waiting)).code).to.equal('tunnel_unprocessed');
    expect((await refusalOf(session.open('e:1'))).code).to.equal('tunnel_unprocessed');
    expect([session.isDraining, session.room, notes.drainings]).to.deep.equal([true, 0, 1]);
    peer.send(OK(3), data(1, 'still'));
    const second = await looked;
    await until('bytes', () => seen.length || undefined);
    peer.send(data(1, '', FLAG.END_STREAM), data(3, '', FLAG.END_STREAM));
    stream.end();
    Notes.on(second);
    second.end();
    await until('the end', () => peer.hasEnded || undefined);
    expect(notes.closes).to.deep.equal([undefined]);
    expect(seen.failure).to.equal(undefined);
  });

  it('of a server: two steps, so that a stream under way is not lost', async () => {
    const { peer, session, notes, stream } = await acceptedStream({ clock: new FakeClock() });
    const seen = Notes.on(stream);
    session.drain();
    session.drain();
    const ping = await until('PING', () => peer.of(FRAME.PING)[0]);
    expect(peer.of(FRAME.GOAWAY).map(({ payload }) => payload.readUInt32BE(0))).to.deep.equal([MOST_31_BITS]);
    // Sent before the client read the GOAWAY.
    peer.send(headers(3), frame(FRAME.PING, FLAG.ACK, 0, ping.payload));
    await until('the second', () => peer.of(FRAME.GOAWAY)[1]);
    expect(peer.of(FRAME.GOAWAY)[1]!.payload.readUInt32BE(0)).to.equal(3);
    expect(notes.requests).to.have.length(2);
    const other = notes.requests[1]!.accept();
    Notes.on(other);
    // After it nobody looks at a new stream.
    peer.send(headers(5), data(1, '', FLAG.END_STREAM), data(3, '', FLAG.END_STREAM), data(5, 'x'));
    await until('the end', () => seen.ends || undefined);
    stream.end();
    other.end();
    await until('the end of the session', () => peer.hasEnded || undefined);
    expect(notes.requests).to.have.length(2);
    expect(notes.closes).to.deep.equal([undefined]);
    expect(notes.drainings).to.equal(1);
  });

  it('never tells a higher last stream than before, whatever was opened since', async () => {
    const { peer, session, stream } = await acceptedStream({ clock: new FakeClock() });
    const seen = Notes.on(stream);
    session.drain();
    const ping = await until('PING', () => peer.of(FRAME.PING)[0]);
    peer.send(frame(FRAME.PING, FLAG.ACK, 0, ping.payload), headers(9), data(1, 'x'));
    await until('bytes', () => seen.length || undefined);
    session.cut(new Refusal('draining'));
    await until('three', () => peer.of(FRAME.GOAWAY)[2]);
    expect(peer.of(FRAME.GOAWAY).map(({ payload }) => payload.readUInt32BE(0))).to.deep.equal([MOST_31_BITS, 1, 1]);
  });

  it('of a server whose PING is not answered goes on after its time', async () => {
    const clock = new FakeClock();
    const { peer, session, notes } = rawRig('server', { clock });
    peer.greet();
    await until('the ACK', () => peer.of(FRAME.SETTINGS)[1]);
    session.drain();
    await clock.advance(1000);
    await until('the end', () => peer.hasEnded || undefined);
    expect(peer.of(FRAME.GOAWAY)).to.have.length(2);
    expect(notes.closes).to.deep.equal([undefined]);
  });

  it('of a client: it opens nothing more and ends with its last stream', async () => {
    const { client, server, clientNotes, serverNotes } = await joinedSessions();
    const stream = await client.open('a:1');
    const seen = Notes.on(stream);
    client.drain();
    expect((await refusalOf(client.open('b:1'))).code).to.equal('tunnel_unprocessed');
    stream.write(Buffer.from('late'), false);
    stream.end();
    await seen.closed();
    expect(seen.text).to.equal('late');
    await until('both ends', () => (client.isClosed && server.isClosed) || undefined);
    expect([clientNotes.closes, serverNotes.closes]).to.deep.equal([[undefined], [undefined]]);
  });

  it('with an error tells it when the connection then breaks', async () => {
    const { peer, stream, notes } = await openedStream();
    const seen = Notes.on(stream);
    peer.send(goAway(1, H2.ENHANCE_YOUR_CALM));
    await until('draining', () => notes.drainings || undefined);
    peer.socket.end();
    await seen.closed();
    expect(seen.failure).to.include({ code: 'tunnel_broken', detail: 'GOAWAY ENHANCE_YOUR_CALM' });
  });

  it('is sent before a session is cut; everything ends with the reason', async () => {
    const { peer, session, stream, notes } = await acceptedStream();
    const seen = Notes.on(stream);
    session.cut(new Refusal('connection_expired'));
    session.cut(new Refusal('draining'));
    session.drain();
    expect(seen.failure?.code).to.equal('connection_expired');
    expect(notes.closes.map((why) => why?.code)).to.deep.equal(['connection_expired']);
    await until('the end', () => peer.hasEnded || undefined);
    expect((await peer.goAway()).lastStream).to.equal(1);
    expect(peer.of(FRAME.DATA)).to.deep.equal([]);
  });
});

describe('time', () => {
  it('a peer that does not begin HTTP/2 is cut, whichever part is missing', async () => {
    for (const begin of [
      [],
      [settings()],
      [frame(FRAME.SETTINGS, 0, 0), frame(FRAME.PING, FLAG.ACK, 0, Buffer.alloc(8))],
    ]) {
      const clock = new FakeClock();
      const { peer, notes } = rawRig('client', { clock });
      peer.send(Buffer.alloc(0), ...begin);
      await clock.advance(10_000);
      expect((await peer.goAway()).code).to.equal(H2.SETTINGS_TIMEOUT);
      expect(notes.closes.map((why) => why?.code)).to.deep.equal(['tunnel_silent']);
      expect(clock.pending).to.be.at.most(1);
    }
  });

  it('measures the round trip, first by SETTINGS and then by PING', async () => {
    const clock = new FakeClock();
    const { peer, session } = rawRig('client', { clock });
    await clock.advance(40);
    peer.greet();
    await until('the first', () => session.roundTripMs === 40 || undefined);
    await clock.advance(10_000);
    const ping = await until('PING', () => peer.of(FRAME.PING)[0]);
    await clock.advance(80);
    peer.send(frame(FRAME.PING, FLAG.ACK, 0, ping.payload));
    await until('the second', () => session.roundTripMs === 50 || undefined);
    await clock.advance(10_000);
    await until('the next PING', () => peer.of(FRAME.PING)[1]);
  });

  it('a PING that is followed by silence ends the session; any sign of life does not', async () => {
    const clock = new FakeClock();
    const { peer, stream, notes } = await openedStream({ clock });
    const seen = Notes.on(stream);
    await clock.advance(10_000);
    await until('PING', () => peer.of(FRAME.PING)[0]);
    await clock.advance(19_000);
    peer.send(data(1, 'alive'));
    await until('bytes', () => seen.length || undefined);
    await clock.advance(2_000);
    expect(notes.closes).to.deep.equal([]);
    await clock.advance(18_000);
    expect(notes.closes, 'not before its time is over').to.deep.equal([]);
    await clock.advance(1_000);
    expect(notes.closes.map((why) => why?.code)).to.deep.equal(['tunnel_silent']);
    expect(seen.failure?.code).to.equal('tunnel_silent');
  });

  it('a session has one timer, and none when it is over', async () => {
    const clock = new FakeClock();
    const { peer, session, notes } = await openedStream({ clock });
    for (let at = 0; at < 50; at++) session.open('a:1').catch(() => undefined); // ends with the session
    expect(clock.pending).to.equal(1);
    peer.socket.destroy();
    await until('the end', () => notes.closes.length || undefined);
    expect(clock.pending).to.equal(0);
  });

  it('a peer that leaves its side open after the end is closed', async () => {
    const clock = new FakeClock();
    const { session, stream } = await openedStream({ clock });
    Notes.on(stream);
    session.cut(new Refusal('draining'));
    expect(clock.pending).to.equal(1);
    await clock.advance(1000);
    expect(clock.pending).to.equal(0);
  });

  it('tells since when nothing was open', async () => {
    const clock = new FakeClock();
    const { peer, session, stream } = await openedStream({ clock });
    const seen = Notes.on(stream);
    expect(session.idleSince).to.equal(undefined);
    await clock.advance(500);
    peer.send(data(1, '', FLAG.END_STREAM));
    stream.end();
    await seen.closed();
    expect(session.idleSince).to.equal(500);
  });
});
