import { once } from 'node:events';
import http2 from 'node:http2';
import { expect } from 'chai';
import type { ServedRequest } from '../../../sidecar/telemetry/served-request.ts';
import { PREFACE } from '../../../sidecar/tunnel/frame-format.ts';
import { until } from '../../support/until.ts';
import { call, open, type SeenByClient } from './h2-calls-app.ts';
import { Counted, type Piece, Rig, WHO, withoutTime } from './h2-calls-rig.ts';

/** Whatever client and server saw of a call that came to its end is what was counted. */
function expectSame(rig: Rig, id: string, seen: SeenByClient): void {
  const counted = rig.counted.of(id);
  const server = rig.app.seen.get(id)!;
  expect(counted).to.include({
    protocol: 'grpc',
    status: seen.status,
    grpcStatus: seen.grpcStatus ?? '',
    refusal: '',
    callerLeft: false,
    requestBytes: server.received,
    answerBytes: seen.received,
    ...WHO,
  });
  expect(counted.answerBytes).to.equal(server.sent);
  expect(counted.durationMs).to.be.within(0, 20_000);
  expect(rig.counted.lost).to.deep.equal([]);
}

describe('the calls of an HTTP/2 connection', () => {
  it('are counted as client and server saw them: unary, both streams, trailers alone, interim answers', async () => {
    await using rig = await Rig.start();
    const shapes = {
      Unary: [100],
      Chat: [1, 70_000, 3, 200_000],
      Download: [5],
      Denied: [5],
      Interim: [5],
      Push: [5],
    };
    for (const [method, messages] of Object.entries(shapes)) {
      expectSame(rig, method, await call(rig.session, { method, id: method, messages }));
    }
    const { path, method, grpcStatus } = rig.counted.of('Denied');
    expect([method, path, grpcStatus]).to.deep.equal(['POST', '/pkg.Service/Denied', '7']);
    expect(rig.counted.of('Chat').answerBytes).to.equal(270_004);
    expect(rig.counted.served).to.have.length(6);
  });

  it('are HTTP when neither side speaks gRPC, and gRPC when only an error page answers', async () => {
    await using rig = await Rig.start();
    await call(rig.session, { method: 'Page', id: 'plain', type: 'text/plain', headers: { 'x-other': 'x' } });
    await call(rig.session, { method: 'Page', id: 'grpc', type: 'Application/gRPC+proto' });
    expect(rig.counted.of('plain')).to.include({ protocol: 'http', status: 503, grpcStatus: '', answerBytes: 33 });
    expect(rig.counted.of('grpc')).to.include({ protocol: 'grpc', status: 503, grpcStatus: '', answerBytes: 33 });
  });

  it('say nothing of a query, and are bounded in what they say', async () => {
    await using rig = await Rig.start();
    await call(rig.session, { method: 'Unary?token=abc', id: 'query' });
    await call(rig.session, { method: `${'a'.repeat(2000)}/Unary`, id: 'long' });
    await call(rig.session, { method: 'Unary', id: 'no id <>' });
    expect(rig.counted.of('query').path).to.equal('/pkg.Service/Unary');
    expect(rig.counted.of('long').path).to.have.length(512);
    expect(rig.counted.of('').path).to.equal('/pkg.Service/Unary');
  });

  it('may be a thousand at once', async () => {
    await using rig = await Rig.start({ server: { settings: { maxConcurrentStreams: 2000 } } });
    await once(rig.session, 'remoteSettings');
    const calls = Array.from({ length: 1000 }, (_, at) => {
      const id = `call-${at}`;
      return { id, ...open(rig.session, { method: at % 3 === 0 ? 'Chat' : 'Unary', id, messages: [at, 17] }) };
    });
    for (const { id, done } of calls) expectSame(rig, id, await done);
    expect(rig.counted.served).to.have.length(1000);
  });

  for (const [what, sizes] of Object.entries({
    'are 0 on both sides': [0, 0],
    'differ and are larger': [65_536, 16_384],
    'are tiny': [100, 60],
  })) {
    it(`are read whatever the sizes of header tables, which ${what}`, async () => {
      const [client, server] = sizes as [number, number];
      await using rig = await Rig.start({
        client: { settings: { headerTableSize: client }, maxDeflateDynamicTableSize: 65_536 } as object,
        server: { settings: { headerTableSize: server }, maxDeflateDynamicTableSize: 65_536 } as object,
      });
      await once(rig.session, 'remoteSettings');
      for (let at = 0; at < 200; at++) {
        const headers = { 'x-new': `value ${at}`, 'x-long': `back ${at % 7} ${'v'.repeat(at)}` };
        expectSame(rig, `call-${at}`, await call(rig.session, { method: 'Wordy', id: `call-${at}`, headers }));
      }
    });
  }

  it('are read after the sizes of header tables changed under way', async () => {
    await using rig = await Rig.start();
    for (const [at, headerTableSize] of [4096, 0, 8192, 64, 4096].entries()) {
      await new Promise<void>((resolve) => rig.session.settings({ headerTableSize }, () => resolve()));
      const [server] = rig.app.sessions;
      await new Promise<void>((resolve) => server!.settings({ headerTableSize }, () => resolve()));
      for (let more = 0; more < 20; more++) {
        const id = `call-${at}-${more}`;
        const headers = { 'x-new': id, 'x-long': `${id} comes back` };
        expectSame(rig, id, await call(rig.session, { method: 'Wordy', id, headers }));
      }
    }
  });

  it('are read over headers in several frames, and over padding', async () => {
    const settings = { maxHeaderListSize: 65_535 };
    const paddingStrategy = http2.constants.PADDING_STRATEGY_MAX;
    await using rig = await Rig.start({
      client: { settings, paddingStrategy, maxSendHeaderBlockLength: 65_535 },
      server: { settings, paddingStrategy, maxSendHeaderBlockLength: 65_535 },
    });
    await once(rig.session, 'remoteSettings');
    for (let at = 0; at < 5; at++) {
      const headers = { 'x-long': '~^'.repeat(10_000) };
      expectSame(rig, `wordy-${at}`, await call(rig.session, { method: 'Wordy', id: `wordy-${at}`, headers }));
      expectSame(rig, `chat-${at}`, await call(rig.session, { method: 'Chat', id: `chat-${at}`, messages: [1000, 3] }));
    }
    // The frames were there: CONTINUATION without and padding with its flag.
    expect(kindsOf(rig.passed, true)).to.include.members(['9', '0 padded']);
  });

  it('are told when a side resets them: the caller left, or the app broke it off', async () => {
    await using rig = await Rig.start();
    const hanging = open(rig.session, { method: 'Hang', id: 'left' });
    await until('the app has the call', () => rig.app.seen.has('left'));
    hanging.stream.close(http2.constants.NGHTTP2_CANCEL);
    await hanging.done;
    await call(rig.session, { method: 'Reset', id: 'reset' });
    await call(rig.session, { method: 'ResetLate', id: 'late' });
    await call(rig.session, { method: 'Unary', id: 'after' });
    expect(rig.counted.of('left')).to.include({ callerLeft: true, refusal: '', status: 0, grpcStatus: '' });
    expect(rig.counted.of('reset')).to.include({ callerLeft: false, refusal: 'app_reset', status: 0 });
    expect(rig.counted.of('late')).to.include({ callerLeft: false, refusal: 'app_reset', status: 200 });
    expect(rig.counted.of('after')).to.include({ refusal: '', grpcStatus: '0' });
  });

  it('end with the GOAWAY that leaves them out, and only those', async () => {
    await using rig = await Rig.start();
    const calls = ['a', 'b', 'c'].map((id) => open(rig.session, { method: 'Hang', id }));
    await until('the app has the calls', () => rig.app.seen.size === 3);
    rig.app.sessions[0]!.goaway(http2.constants.NGHTTP2_NO_ERROR, calls[0]!.stream.id!);
    await until('they ended', () => rig.counted.served.length === 2);
    expect(outcomes(rig.counted.served)).to.deep.equal(['b app_reset', 'c app_reset']);
    await rig.cut();
    expect(rig.counted.served).to.have.length(3);
  });

  it('end with the connection that breaks under them, with the bytes that had passed', async () => {
    await using rig = await Rig.start();
    await call(rig.session, { method: 'Unary', id: 'before' });
    const { done } = open(rig.session, { method: 'Hang', id: 'cut', messages: [5000] });
    await until('the app has the message', () => rig.app.seen.get('cut')?.received === 5000);
    rig.app.sessions[0]!.destroy();
    expect((await done).status).to.equal(undefined);
    await until('it was counted', () => rig.counted.served.length === 2);
    expect(rig.counted.of('cut')).to.include({ refusal: 'app_reset', status: 0, requestBytes: 5000, answerBytes: 0 });
  });

  it('end as left when it is the client who goes', async () => {
    await using rig = await Rig.start();
    open(rig.session, { method: 'Hang', id: 'gone' });
    await until('the app has the call', () => rig.app.seen.has('gone'));
    rig.session.destroy();
    await until('it was counted', () => rig.counted.served.length === 1);
    expect(rig.counted.of('gone')).to.include({ refusal: '', callerLeft: true, status: 0 });
  });

  it('are none while nothing is asked, and are told before the connection ends', async () => {
    await using rig = await Rig.start();
    await call(rig.session, { method: 'Unary', id: 'one' });
    expect(rig.counted.served).to.have.length(1);
    await rig.finish();
    expect(rig.counted.served).to.have.length(1);
    expect([rig.counted.lost, rig.counted.calls.isReading]).to.deep.equal([[], false]);
  });
});

describe('reading along', () => {
  it('does not depend on where the bytes are cut', async () => {
    const paddingStrategy = http2.constants.PADDING_STRATEGY_MAX;
    await using rig = await Rig.start({ client: { paddingStrategy }, server: { paddingStrategy } });
    for (const method of ['Unary', 'Denied', 'Interim', 'Push', 'Reset', 'Page', 'Wordy']) {
      await call(rig.session, { method, id: method, headers: { 'x-long': 'word' } });
    }
    const whole = withoutTime(rig.counted.served);
    expect(whole).to.have.length(7);
    expect(kindsOf(rig.passed, false)).to.include.members(['0 padded', '1 padded', '3', '5']);
    for (const size of [1, 2, 3, 7, 8, 9, 10, 64]) {
      const again = new Counted();
      for (const { fromClient, bytes } of rig.passed) {
        for (let at = 0; at < bytes.length; at += size) {
          again.take({ fromClient, bytes: bytes.subarray(at, at + size) });
        }
      }
      expect(withoutTime(again.served)).to.deep.equal(whole);
    }
    // One cut at a time, through every byte of every piece.
    for (const [index, { bytes }] of rig.passed.entries()) {
      for (let cut = 1; cut < bytes.length; cut++) {
        const again = new Counted();
        for (const [at, piece] of rig.passed.entries()) {
          if (at !== index) again.take(piece);
          else for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) again.take({ ...piece, bytes: part });
        }
        expect(withoutTime(again.served), `piece ${index}, byte ${cut}`).to.deep.equal(whole);
      }
    }
  });
});

function outcomes(served: readonly ServedRequest[]): string[] {
  return served.map(({ requestId, refusal }) => `${requestId} ${refusal}`);
}

/** Types of the frames of one direction, with a word for padding. */
function kindsOf(passed: readonly Piece[], fromClient: boolean): string[] {
  const bytes = Buffer.concat(passed.filter((one) => one.fromClient === fromClient).map((one) => one.bytes));
  const kinds = new Set<string>();
  for (let at = fromClient ? PREFACE.length : 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const [type, flags] = [bytes[at + 3]!, bytes[at + 4]!];
    kinds.add(type < 2 && (flags & 8) !== 0 ? `${type} padded` : String(type));
  }
  return [...kinds];
}
