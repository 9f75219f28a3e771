import { expect } from 'chai';
import { H2 } from '../../../sidecar/tunnel/error-codes.ts';
import { FLAG, FRAME, PREFACE } from '../../../sidecar/tunnel/frame-format.ts';
import type { Field } from '../../../sidecar/tunnel/hpack-tables.ts';
import { until } from '../../support/until.ts';
import { block, CONNECT, data, frame, headers, rawRig, SETTINGS_ACK, settings, u32 } from './tunnel-rig.ts';

const START = Buffer.concat([PREFACE, settings(), SETTINGS_ACK]);
const ANSWER = headers(1, [[':status', '200']]);
const CLIENT_START = Buffer.concat([settings(), SETTINGS_ACK]);
const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR, COMPRESSION_ERROR, STREAM_CLOSED } = H2;

interface Case {
  readonly what: string;
  readonly bytes: readonly Buffer[];
  readonly code: number;
}

/** What ends the whole session, sent to a server that has seen START. */
const SESSION_FAULTS: readonly Case[] = [
  { what: '§4.2: a frame larger than announced', bytes: [data(1, Buffer.alloc(65_537))], code: FRAME_SIZE_ERROR },
  {
    what: '§4.3: an undecodable header block',
    bytes: [frame(1, 4, 1, Buffer.from('ff8080808080', 'hex'))],
    code: COMPRESSION_ERROR,
  },
  {
    what: '§4.3: another frame inside a header block',
    bytes: [headers(1, CONNECT, 0), frame(FRAME.PING, 0, 0, Buffer.alloc(8))],
    code: PROTOCOL_ERROR,
  },
  { what: '§4.3: DATA inside a header block', bytes: [headers(1, CONNECT, 0), data(1, 'x')], code: PROTOCOL_ERROR },
  {
    what: '§4.3: an unknown frame inside a header block',
    bytes: [headers(1, CONNECT, 0), frame(99, 0, 0)],
    code: PROTOCOL_ERROR,
  },
  {
    what: '§6.10: CONTINUATION of another stream',
    bytes: [headers(1, CONNECT, 0), frame(FRAME.CONTINUATION, 4, 3)],
    code: PROTOCOL_ERROR,
  },
  { what: '§6.10: CONTINUATION without HEADERS', bytes: [frame(FRAME.CONTINUATION, 4, 1)], code: PROTOCOL_ERROR },
  { what: '§5.1: DATA on an idle stream', bytes: [data(5, 'x')], code: PROTOCOL_ERROR },
  { what: '§5.1: RST_STREAM on an idle stream', bytes: [frame(FRAME.RST_STREAM, 0, 5, u32(8))], code: PROTOCOL_ERROR },
  {
    what: '§5.1: WINDOW_UPDATE on an idle stream',
    bytes: [frame(FRAME.WINDOW_UPDATE, 0, 5, u32(8))],
    code: PROTOCOL_ERROR,
  },
  {
    what: '§5.1: WINDOW_UPDATE on a stream that only we could open',
    bytes: [frame(FRAME.WINDOW_UPDATE, 0, 2, u32(8))],
    code: PROTOCOL_ERROR,
  },
  { what: '§5.1.1: an even stream', bytes: [headers(2)], code: PROTOCOL_ERROR },
  { what: '§5.1.1: a lower stream than before', bytes: [headers(5), headers(3)], code: PROTOCOL_ERROR },
  { what: '§6.1: DATA on stream 0', bytes: [data(0, 'x')], code: PROTOCOL_ERROR },
  {
    what: '§6.1: padding longer than the payload',
    bytes: [headers(1), frame(FRAME.DATA, FLAG.PADDED, 1, Buffer.from([9, 1, 2]))],
    code: PROTOCOL_ERROR,
  },
  {
    what: '§6.1: padding as long as the payload',
    bytes: [headers(1), frame(FRAME.DATA, FLAG.PADDED, 1, Buffer.from([3, 1, 2]))],
    code: PROTOCOL_ERROR,
  },
  {
    what: '§6.1: a padded frame without its length',
    bytes: [headers(1), frame(FRAME.DATA, FLAG.PADDED, 1)],
    code: FRAME_SIZE_ERROR,
  },
  { what: '§6.2: HEADERS on stream 0', bytes: [headers(0)], code: PROTOCOL_ERROR },
  {
    what: '§6.2: padding longer than HEADERS',
    bytes: [frame(FRAME.HEADERS, FLAG.PADDED | 4, 1, Buffer.from([9, 1, 2]))],
    code: PROTOCOL_ERROR,
  },
  {
    what: '§6.2: padded HEADERS without a length',
    bytes: [frame(FRAME.HEADERS, FLAG.PADDED | 4, 1)],
    code: FRAME_SIZE_ERROR,
  },
  {
    what: '§6.2: HEADERS too short for its priority',
    bytes: [frame(FRAME.HEADERS, FLAG.PRIORITY | 4, 1, Buffer.alloc(4))],
    code: PROTOCOL_ERROR,
  },
  { what: '§6.3: PRIORITY on stream 0', bytes: [frame(FRAME.PRIORITY, 0, 0, Buffer.alloc(5))], code: PROTOCOL_ERROR },
  {
    what: '§6.3: PRIORITY of another length',
    bytes: [frame(FRAME.PRIORITY, 0, 1, Buffer.alloc(4))],
    code: FRAME_SIZE_ERROR,
  },
  { what: '§6.4: RST_STREAM on stream 0', bytes: [frame(FRAME.RST_STREAM, 0, 0, u32(8))], code: PROTOCOL_ERROR },
  {
    what: '§6.4: RST_STREAM of another length',
    bytes: [headers(1), frame(FRAME.RST_STREAM, 0, 1, Buffer.alloc(5))],
    code: FRAME_SIZE_ERROR,
  },
  { what: '§6.5: SETTINGS on a stream', bytes: [frame(FRAME.SETTINGS, 0, 1)], code: PROTOCOL_ERROR },
  {
    what: '§6.5: SETTINGS of half an entry',
    bytes: [frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(7))],
    code: FRAME_SIZE_ERROR,
  },
  {
    what: '§6.5: an ACK with entries',
    bytes: [frame(FRAME.SETTINGS, FLAG.ACK, 0, Buffer.alloc(6))],
    code: FRAME_SIZE_ERROR,
  },
  { what: '§6.5.2: ENABLE_PUSH of 2', bytes: [settings({ ENABLE_PUSH: 2 })], code: PROTOCOL_ERROR },
  {
    what: '§6.5.2: INITIAL_WINDOW_SIZE of 2^31',
    bytes: [settings({ INITIAL_WINDOW_SIZE: 2 ** 31 })],
    code: FLOW_CONTROL_ERROR,
  },
  { what: '§6.5.2: MAX_FRAME_SIZE below 2^14', bytes: [settings({ MAX_FRAME_SIZE: 16_383 })], code: PROTOCOL_ERROR },
  {
    what: '§6.5.2: MAX_FRAME_SIZE above 2^24 - 1',
    bytes: [settings({ MAX_FRAME_SIZE: 2 ** 24 })],
    code: PROTOCOL_ERROR,
  },
  { what: '§6.6: PUSH_PROMISE of a client', bytes: [frame(FRAME.PUSH_PROMISE, 4, 1, u32(2))], code: PROTOCOL_ERROR },
  { what: '§6.7: PING on a stream', bytes: [frame(FRAME.PING, 0, 1, Buffer.alloc(8))], code: PROTOCOL_ERROR },
  { what: '§6.7: PING of another length', bytes: [frame(FRAME.PING, 0, 0, Buffer.alloc(7))], code: FRAME_SIZE_ERROR },
  { what: '§6.8: GOAWAY on a stream', bytes: [frame(FRAME.GOAWAY, 0, 1, Buffer.alloc(8))], code: PROTOCOL_ERROR },
  {
    what: '§6.8: GOAWAY that is too short',
    bytes: [frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(7))],
    code: FRAME_SIZE_ERROR,
  },
  {
    what: '§6.8: GOAWAY with a higher last stream than before',
    bytes: [headers(1), frame(FRAME.GOAWAY, 0, 0, u32(1, 0)), frame(FRAME.GOAWAY, 0, 0, u32(3, 0))],
    code: PROTOCOL_ERROR,
  },
  {
    what: '§6.9: WINDOW_UPDATE of another length',
    bytes: [frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))],
    code: FRAME_SIZE_ERROR,
  },
  {
    what: '§6.9: WINDOW_UPDATE of 0 for the connection',
    bytes: [frame(FRAME.WINDOW_UPDATE, 0, 0, u32(0))],
    code: PROTOCOL_ERROR,
  },
  {
    what: '§6.9.1: a connection window beyond 2^31 - 1',
    bytes: [frame(FRAME.WINDOW_UPDATE, 0, 0, u32(2 ** 31 - 1))],
    code: FLOW_CONTROL_ERROR,
  },
  {
    what: '§6.9.2: SETTINGS that make a window overflow',
    bytes: [
      headers(1),
      frame(FRAME.WINDOW_UPDATE, 0, 1, u32(2 ** 31 - 1 - 65_535)),
      settings({ INITIAL_WINDOW_SIZE: 70_000 }),
    ],
    code: FLOW_CONTROL_ERROR,
  },
];

/** What costs its stream and nothing else. */
const STREAM_FAULTS: readonly Case[] = [
  {
    what: '§5.1: DATA after END_STREAM',
    bytes: [headers(1), data(1, 'x', FLAG.END_STREAM), data(1, 'x')],
    code: STREAM_CLOSED,
  },
  { what: '§8.5: a second HEADERS', bytes: [headers(1), headers(1, [['a', 'b']], 4)], code: PROTOCOL_ERROR },
  {
    what: '§5.1: HEADERS after END_STREAM',
    bytes: [headers(1), data(1, '', FLAG.END_STREAM), headers(1, [['a', 'b']], 4)],
    code: STREAM_CLOSED,
  },
  {
    what: '§6.9: WINDOW_UPDATE of 0',
    bytes: [headers(1), frame(FRAME.WINDOW_UPDATE, 0, 1, u32(0))],
    code: PROTOCOL_ERROR,
  },
  {
    what: '§6.9.1: a window beyond 2^31 - 1',
    bytes: [headers(1), frame(FRAME.WINDOW_UPDATE, 0, 1, u32(2 ** 31 - 1))],
    code: FLOW_CONTROL_ERROR,
  },
  {
    what: '§6.9.1: more DATA than its window',
    bytes: [headers(1), ...Array.from({ length: 5 }, () => data(1, Buffer.alloc(60_000)))],
    code: FLOW_CONTROL_ERROR,
  },
];

const MALFORMED: Record<string, Field[]> = {
  '§8.5: CONNECT with :scheme': [...CONNECT, [':scheme', 'https']],
  '§8.5: CONNECT with :path': [...CONNECT, [':path', '/']],
  '§8.5: CONNECT without :authority': [[':method', 'CONNECT']],
  '§8.5: CONNECT with an empty :authority': [
    [':method', 'CONNECT'],
    [':authority', ''],
  ],
  '§8.3: a pseudo-header twice': [...CONNECT, [':authority', 'b:1']],
  '§8.3: an unknown pseudo-header': [...CONNECT, [':protocol', 'websocket']],
  '§8.3: a pseudo-header behind a field': [
    [':method', 'CONNECT'],
    ['a', 'b'],
    [':authority', 'a:1'],
  ],
  '§8.3: a pseudo-header of answers': [...CONNECT, [':status', '200']],
  '§8.3.1: no :method': [[':authority', 'a:1']],
  '§8.3.1: GET without :path': [
    [':method', 'GET'],
    [':scheme', 'https'],
  ],
  '§8.2.1: an upper case name': [...CONNECT, ['X-a', 'b']],
  '§8.2.1: a space in a name': [...CONNECT, ['x a', 'b']],
  '§8.2.1: a colon in a name': [...CONNECT, ['x:a', 'b']],
  '§8.2.1: an empty name': [...CONNECT, ['', 'b']],
  '§8.2.1: an octet above 0x7e in a name': [...CONNECT, ['x\xe9', 'b']],
  '§8.2.1: NUL in a value': [...CONNECT, ['x', 'a\0b']],
  '§8.2.1: LF in a value': [...CONNECT, ['x', 'a\nb']],
  '§8.2.1: CR in a value': [...CONNECT, ['x', 'a\rb']],
  '§8.2.1: a space before a value': [...CONNECT, ['x', ' a']],
  '§8.2.1: a tab behind a value': [...CONNECT, ['x', 'a\t']],
  '§8.2.2: Connection': [...CONNECT, ['connection', 'close']],
  '§8.2.2: Transfer-Encoding': [...CONNECT, ['transfer-encoding', 'chunked']],
  '§8.2.2: Upgrade': [...CONNECT, ['upgrade', 'h2c']],
  '§8.2.2: Keep-Alive': [...CONNECT, ['keep-alive', '5']],
  '§8.2.2: Proxy-Connection': [...CONNECT, ['proxy-connection', 'close']],
  '§8.2.2: TE other than trailers': [...CONNECT, ['te', 'gzip']],
};

describe('faults of a client (RFC 9113)', () => {
  for (const { what, bytes, code } of SESSION_FAULTS) {
    it(`end the session: ${what}`, async () => {
      const { peer, notes, session } = rawRig('server', { onConnect: (request) => request.accept() });
      peer.send(START, ...bytes);
      expect((await peer.goAway()).code).to.equal(code);
      await until('the end', () => peer.hasEnded || undefined);
      expect(notes.closes.map((why) => why?.code)).to.deep.equal(['tunnel_malformed']);
      expect(session.streams).to.equal(0);
    });
  }

  for (const { what, bytes, code } of STREAM_FAULTS) {
    it(`cost only their stream: ${what}`, async () => {
      const { peer, notes } = rawRig('server', {
        onConnect: (request) => {
          request.accept().pause();
        },
      });
      peer.send(START, ...bytes);
      expect(await peer.resetOf(1)).to.equal(code);
      peer.send(headers(3));
      expect(await peer.statusOf(3)).to.equal('200');
      expect(notes.closes).to.deep.equal([]);
    });
  }

  for (const [what, fields] of Object.entries(MALFORMED)) {
    it(`cost only their stream, unseen by the app: ${what}`, async () => {
      const { peer, notes } = rawRig('server');
      peer.send(START, headers(1, fields));
      expect(await peer.resetOf(1)).to.equal(PROTOCOL_ERROR);
      expect(notes.requests).to.deep.equal([]);
      expect(notes.closes).to.deep.equal([]);
    });
  }

  it('§3.4: another preface, or another first frame, ends the session', async () => {
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'),
      Buffer.concat([PREFACE, frame(6, 0, 0, Buffer.alloc(8))]),
      Buffer.concat([PREFACE, SETTINGS_ACK]),
      Buffer.concat([PREFACE, data(1, 'x')]),
    ]) {
      const { peer } = rawRig('server');
      peer.send(bytes);
      expect((await peer.goAway()).code).to.equal(PROTOCOL_ERROR);
    }
  });

  it('§6.9.1: DATA beyond the connection window ends the session', async () => {
    const { peer } = rawRig('server', {
      limits: { connectionWindowBytes: 65_535, heldBytes: 0 },
      onConnect: (request) => request.accept().pause(),
    });
    peer.send(START, ...[1, 3, 5].map((id) => headers(id)), ...[1, 3, 5].map((id) => data(id, Buffer.alloc(60_000))));
    expect((await peer.goAway()).code).to.equal(FLOW_CONTROL_ERROR);
  });

  it('§4.1, §5.5, §6.5.2: reserved bits, unknown frames, flags and settings are ignored', async () => {
    const { peer, notes } = rawRig('server');
    const odd = Buffer.concat([Buffer.from([0, 0x77]), u32(5)]);
    peer.send(START, frame(99, 255, 0x8000_0007, Buffer.alloc(70)), frame(FRAME.SETTINGS, 0xf0, 0, odd));
    peer.send(frame(FRAME.HEADERS, 0xd4 & ~FLAG.PADDED & ~FLAG.PRIORITY, 0x8000_0001, block(CONNECT)));
    await until('the request', () => notes.requests[0]);
    expect(peer.of(FRAME.SETTINGS).filter(({ flags }) => flags === FLAG.ACK)).to.have.length(2);
  });
});

describe('faults of a server (RFC 9113)', () => {
  async function opened(...bytes: Buffer[]) {
    const rig = rawRig('client');
    rig.peer.send(CLIENT_START);
    const opening = rig.session.open('app:80').then(
      () => 'opened',
      (why) => why.code as string,
    );
    await until('HEADERS', () => rig.peer.of(FRAME.HEADERS)[0]);
    rig.peer.send(...bytes);
    return { ...rig, opening };
  }

  for (const [what, bytes, code] of [
    ['§6.5.2: ENABLE_PUSH of 1', settings({ ENABLE_PUSH: 1 }), PROTOCOL_ERROR],
    ['§8.4: PUSH_PROMISE', frame(FRAME.PUSH_PROMISE, 4, 1, Buffer.concat([u32(2), block(CONNECT)])), PROTOCOL_ERROR],
    ['§5.1.1: an even stream', headers(2, [[':status', '200']]), PROTOCOL_ERROR],
    ['§5.1: an answer to nothing', headers(3, [[':status', '200']]), PROTOCOL_ERROR],
    ['§5.1: DATA to nothing', data(3, 'x'), PROTOCOL_ERROR],
  ] as const) {
    it(`end the session: ${what}`, async () => {
      const { peer, opening, notes } = await opened(bytes);
      expect((await peer.goAway()).code).to.equal(code);
      expect(await opening).to.equal('tunnel_malformed');
      expect(notes.closes).to.have.length(1);
    });
  }

  for (const [what, bytes] of [
    ['§8.1: DATA before an answer', [data(1, 'x')]],
    ['§8.3.2: no :status', [headers(1, [['a', 'b']])]],
    ['§8.3.2: a :status that is no number', [headers(1, [[':status', '2x0']])]],
    ['§8.6: status 101', [headers(1, [[':status', '101']])]],
    ['§8.1: an interim answer that ends', [headers(1, [[':status', '103']], 5)]],
  ] as const) {
    it(`cost only their stream: ${what}`, async () => {
      const { peer, opening, notes } = await opened(...bytes);
      expect(await peer.resetOf(1)).to.equal(PROTOCOL_ERROR);
      expect(await opening).to.equal('tunnel_malformed');
      expect(notes.closes).to.deep.equal([]);
    });
  }

  it('§8.5: trailers on an open tunnel cost the tunnel', async () => {
    const { peer, opening } = await opened(ANSWER, headers(1, [['a', 'b']], 5));
    expect(await peer.resetOf(1)).to.equal(PROTOCOL_ERROR);
    expect(await opening).to.equal('opened');
  });

  it('§8.1: interim answers are passed over', async () => {
    const { opening } = await opened(headers(1, [[':status', '103']]), headers(1, [[':status', '100']]), ANSWER);
    expect(await opening).to.equal('opened');
  });
});
