import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { H2_CALL_LIMITS } from '../../../sidecar/relay/h2-call-limits.ts';
import { H2Calls, type LostReason } from '../../../sidecar/relay/h2-calls.ts';
import { FLAG, FRAME, PREFACE } from '../../../sidecar/tunnel/frame-format.ts';
import type { Field } from '../../../sidecar/tunnel/hpack-tables.ts';
import { block, data, frame, headers, settings, u32 } from '../tunnel/tunnel-rig.ts';
import { Counted, WHO } from './h2-calls-rig.ts';

const { END_HEADERS, END_STREAM, PADDED } = FLAG;
const ENDS = END_HEADERS | END_STREAM;
const REQUEST: readonly Field[] = [
  [':method', 'POST'],
  [':path', '/pkg.Service/Call'],
  ['content-type', 'application/grpc'],
];
const HEAD: readonly Field[] = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];
const TRAILERS: readonly Field[] = [['grpc-status', '0']];
/** Says that the table is empty, puts a field into it, and two blocks that use it. */
const PUTS = Buffer.concat([Buffer.from([0x40, 5]), Buffer.from('x-one'), Buffer.from([1]), Buffer.from('1')]);
const USES = Buffer.from([0x80 | 62]);

/** Both ends have begun. */
function begun(limits = H2_CALL_LIMITS): Counted {
  const counted = new Counted(limits);
  client(counted, PREFACE, settings());
  server(counted, settings());
  return counted;
}

function client(counted: Counted, ...frames: Buffer[]): void {
  counted.take({ fromClient: true, bytes: Buffer.concat(frames) });
}

function server(counted: Counted, ...frames: Buffer[]): void {
  counted.take({ fromClient: false, bytes: Buffer.concat(frames) });
}

function answered(counted: Counted, stream: number): void {
  server(counted, headers(stream, HEAD), headers(stream, TRAILERS, ENDS));
}

function expectGoesOn(counted: Counted): void {
  client(counted, headers(1001, REQUEST, ENDS));
  answered(counted, 1001);
  expect(counted.lost).to.deep.equal([]);
  expect(counted.served.at(-1)).to.include({ protocol: 'grpc', status: 200, grpcStatus: '0' });
}

function expectLost(counted: Counted, reason: LostReason): void {
  expect(counted.lost).to.deep.equal([reason]);
  expect(counted.calls.isReading).to.equal(false);
  // For good, and once.
  const before = counted.served.length;
  client(counted, headers(2001, REQUEST, ENDS), Buffer.alloc(100, 7));
  answered(counted, 2001);
  counted.calls.ended(new Refusal('connection_broken'));
  expect([counted.served.length, counted.lost]).to.deep.equal([before, [reason]]);
}

describe('frames that a reader of calls passes over', () => {
  const promise = Buffer.concat([u32(2), PUTS]);
  const CASES: Readonly<Record<string, (counted: Counted) => void>> = {
    'PRIORITY, PING, WINDOW_UPDATE, more SETTINGS, unknown types'(counted) {
      client(counted, frame(FRAME.PRIORITY, 0, 5, Buffer.alloc(5)), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
      client(counted, frame(FRAME.WINDOW_UPDATE, 0, 0, u32(1)), frame(FRAME.WINDOW_UPDATE, 0, 9, u32(0)));
      client(counted, settings({ HEADER_TABLE_SIZE: 0 }), frame(0xfa, 0xff, 77, Buffer.alloc(50_000)));
    },
    'frames of streams that are over or never were'(counted) {
      client(counted, data(1, 'x', END_STREAM), frame(FRAME.RST_STREAM, 0, 3, u32(8)));
      server(counted, data(5, 'x', END_STREAM), headers(7, HEAD, ENDS), frame(FRAME.RST_STREAM, 0, 3, u32(8)));
    },
    'GOAWAY of the client'(counted) {
      client(counted, frame(FRAME.GOAWAY, 0, 0, u32(0, 0)));
    },
    'the first of two GOAWAYs'(counted) {
      client(counted, headers(1, REQUEST));
      server(counted, frame(FRAME.GOAWAY, 0, 0, u32(2 ** 31 - 1, 0)));
      expect(counted.served).to.deep.equal([]);
    },
    'a promise over several frames, but not what it puts into the table'(counted) {
      server(counted, frame(FRAME.PUSH_PROMISE, 0, 1, promise), frame(FRAME.CONTINUATION, 4, 1, USES));
      server(counted, frame(FRAME.HEADERS, END_HEADERS, 2, USES));
    },
    'a promise on a call, with what would end or answer that'(counted) {
      client(counted, headers(1, REQUEST));
      const fields = Buffer.concat([u32(2), block([[':status', '500']])]);
      server(counted, frame(FRAME.PUSH_PROMISE, ENDS, 1, fields));
      answered(counted, 1);
      expect(counted.served).to.have.length(1);
      expect(counted.served[0]).to.include({ status: 200, grpcStatus: '0' });
    },
    'a header block whose frames come in lent buffers'(counted) {
      const [one, other] = [block(REQUEST).subarray(0, 20), block(REQUEST).subarray(20)];
      client(counted, frame(FRAME.HEADERS, 0, 1, one));
      client(counted, frame(FRAME.CONTINUATION, END_HEADERS, 1, other));
      answered(counted, 1);
      expect(counted.served[0]).to.include({ path: '/pkg.Service/Call', protocol: 'grpc' });
    },
    'a padded promise'(counted) {
      const padded = Buffer.concat([Buffer.from([3]), promise, Buffer.alloc(3)]);
      server(counted, frame(FRAME.PUSH_PROMISE, END_HEADERS | PADDED, 1, padded));
      server(counted, frame(FRAME.HEADERS, END_HEADERS, 2, USES));
    },
    'deprecated priority in HEADERS'(counted) {
      const payload = Buffer.concat([Buffer.from([2]), Buffer.alloc(5), block(REQUEST), Buffer.alloc(2)]);
      client(counted, frame(FRAME.HEADERS, END_HEADERS | PADDED | FLAG.PRIORITY, 1, payload));
      answered(counted, 1);
      expect(counted.served).to.have.length(1);
    },
    'DATA in one frame of 16 MiB'(counted) {
      client(counted, headers(1, REQUEST), Buffer.from([255, 255, 255, 0, 1, 0, 0, 0, 1]));
      for (let left = 2 ** 24 - 1; left > 0; left -= 65_535) client(counted, Buffer.alloc(Math.min(left, 65_535)));
      answered(counted, 1);
      expect(counted.served[0]).to.include({ requestBytes: 2 ** 24 - 1 });
    },
    'trailers of a request'(counted) {
      client(counted, headers(1, REQUEST), data(1, 'abc'), headers(1, [['x-sum', '1']], ENDS));
      answered(counted, 1);
      expect(counted.served[0]).to.include({ requestBytes: 3, grpcStatus: '0', method: 'POST' });
    },
    'the rest of a call that is over'(counted) {
      client(counted, headers(1, REQUEST));
      answered(counted, 1);
      client(counted, data(1, 'late'), frame(FRAME.RST_STREAM, 0, 1, u32(8)), headers(1, TRAILERS, ENDS));
      server(counted, frame(FRAME.RST_STREAM, 0, 1, u32(0)));
      expect(counted.served).to.have.length(1);
      expect(counted.served[0]).to.include({ requestBytes: 0, callerLeft: false, refusal: '' });
    },
    'a grpc-status that is no label'(counted) {
      for (const [at, status] of ['100', 'x', '0 ', ''].entries()) {
        client(counted, headers(1 + 2 * at, REQUEST));
        server(counted, headers(1 + 2 * at, [...HEAD, ['grpc-status', status]], ENDS));
        expect(counted.served.at(-1)).to.include({ grpcStatus: '', status: 200 });
      }
    },
    'an answer without a valid status'(counted) {
      for (const [at, status] of ['20', 'abc', '999', '2000'].entries()) {
        client(counted, headers(1 + 2 * at, REQUEST));
        server(counted, headers(1 + 2 * at, [[':status', status]], ENDS));
        expect(counted.served.at(-1)).to.include({ status: 0 });
      }
    },
  };
  for (const [what, run] of Object.entries(CASES)) {
    it(what, () => {
      const counted = begun();
      run(counted);
      expectGoesOn(counted);
    });
  }

  it('nothing but DATA that has padding, of which only the DATA counts', () => {
    const counted = begun();
    client(counted, headers(1, REQUEST), data(1, Buffer.from([4, 1, 2, 3, 0, 0, 0, 0]), PADDED));
    client(counted, data(1, Buffer.from([0]), PADDED), data(1, Buffer.from([2, 0, 0]), PADDED | END_STREAM));
    server(counted, headers(1, HEAD), data(1, Buffer.from([1, 9, 0]), PADDED | END_STREAM));
    expect(counted.served[0]).to.include({ requestBytes: 3, answerBytes: 1 });
  });
});

describe('a reader of calls gives up', () => {
  const LIMITS = { calls: 3, headerListBytes: 1000, continuations: 2, tableBytes: 8192, wholeFrameBytes: 2000 };
  const long = (bytes: number): readonly Field[] => [...REQUEST, ['x-long', 'v'.repeat(bytes)]];
  const CASES: readonly [string, LostReason, (counted: Counted) => void][] = [
    ['more calls', 'over_limit', (c) => client(c, ...[1, 3, 5, 7].map((stream) => headers(stream, REQUEST)))],
    ['a larger header list', 'over_limit', (c) => client(c, headers(1, long(900)))],
    ['a small block that means a large list', 'over_limit', (c) => client(c, bomb())],
    ['a larger block', 'over_limit', (c) => client(c, headers(1, long(1200)))],
    [
      'more CONTINUATIONs',
      'over_limit',
      (c) => client(c, headers(1, REQUEST, 0), ...[0, 0, 4].map((flags) => frame(FRAME.CONTINUATION, flags, 1))),
    ],
    ['a larger frame', 'over_limit', (c) => client(c, Buffer.from([0, 8, 0, FRAME.GOAWAY, 0, 0, 0, 0, 0]))],
    // RFC 7541 §6.3: 001xxxxx, here 8193.
    [
      'a larger table',
      'header_compression',
      (c) => server(c, frame(FRAME.HEADERS, END_HEADERS, 1, Buffer.from([0x3f, 0xe2, 0x3f]))),
    ],
    ['an index of no entry', 'header_compression', (c) => server(c, frame(FRAME.HEADERS, END_HEADERS, 1, USES))],
    [
      'a field that breaks off',
      'header_compression',
      (c) => client(c, frame(FRAME.HEADERS, 4, 1, Buffer.from([0x41]))),
    ],
    ['a request on an even stream', 'malformed', (c) => client(c, headers(2, REQUEST))],
    ['HEADERS of no stream', 'malformed', (c) => client(c, headers(0, REQUEST))],
    ['padding beyond its frame', 'malformed', (c) => client(c, headers(1, REQUEST), data(1, Buffer.from([9]), PADDED))],
    ['HEADERS padded beyond', 'malformed', (c) => client(c, frame(FRAME.HEADERS, 12, 1, Buffer.from([9, 0x82])))],
    ['a promise without its stream', 'malformed', (c) => server(c, frame(FRAME.PUSH_PROMISE, 4, 1, Buffer.alloc(3)))],
    ['a block that is not contiguous', 'malformed', (c) => client(c, headers(1, REQUEST, 0), data(1, 'x'))],
    [
      'a promise that is not contiguous',
      'malformed',
      (c) => server(c, frame(FRAME.PUSH_PROMISE, 0, 1, u32(2)), data(1, 'x')),
    ],
    ['CONTINUATION of nothing', 'malformed', (c) => client(c, frame(FRAME.CONTINUATION, 4, 1))],
    ['SETTINGS of an odd length', 'malformed', (c) => server(c, frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(5)))],
    ['RST_STREAM of an odd length', 'malformed', (c) => server(c, frame(FRAME.RST_STREAM, 0, 1, Buffer.alloc(5)))],
  ];
  for (const [what, reason, run] of CASES) {
    it(`at ${what}: ${reason}`, () => {
      const counted = begun(LIMITS);
      run(counted);
      expectLost(counted, reason);
    });
  }

  it('not at its limits themselves', () => {
    const counted = begun(LIMITS);
    client(counted, ...[1, 3, 5].map((stream) => headers(stream, REQUEST, ENDS)));
    for (const stream of [1, 3, 5]) answered(counted, stream);
    client(counted, headers(7, REQUEST, 0), frame(FRAME.CONTINUATION, 0, 7), frame(FRAME.CONTINUATION, 4, 7));
    client(counted, headers(9, long(700)), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
    // 8192.
    client(counted, frame(FRAME.HEADERS, END_HEADERS, 11, Buffer.from([0x3f, 0xe1, 0x3f])));
    for (const stream of [7, 9, 11]) answered(counted, stream);
    expectGoesOn(counted);
    expect(counted.served).to.have.length(7);
  });

  for (const [what, run] of Object.entries<(counted: Counted) => void>({
    'HTTP/1.1': (counted) => client(counted, Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')),
    'a handshake of TLS': (counted) => client(counted, Buffer.from([22, 3, 1, 2, 0])),
    'a preface alone, then nothing of HTTP/2': (counted) => client(counted, PREFACE, Buffer.alloc(20, 1)),
    'a server that greets first': (counted) => server(counted, Buffer.from('220 mail.example ESMTP\r\n')),
    'an answer of HTTP/1.1': (counted) => server(counted, Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
  })) {
    it(`at ${what}, which it has never taken for HTTP/2`, () => {
      const counted = new Counted();
      run(counted);
      expectLost(counted, 'not_http2');
    });
  }

  it('at a fault of whoever is told, which does not reach the data path', () => {
    const lost: LostReason[] = [];
    const served = (): never => {
      throw new Error('the observer');
    };
    const make = (): H2Calls =>
      new H2Calls({
        clock: { monotonic: () => 0 },
        who: WHO,
        resetCode: 'app_reset',
        served,
        lost: (reason) => lost.push(reason),
      });
    for (const last of [headers(1, HEAD, ENDS), undefined]) {
      const calls = make();
      calls.fromClient(Buffer.concat([PREFACE, settings(), headers(1, REQUEST)]));
      calls.fromServer(settings());
      if (last) calls.fromServer(last);
      else calls.ended(undefined);
    }
    expect(lost).to.deep.equal(['internal', 'internal']);
  });
});

describe('the end of a connection', () => {
  it('is the end of its calls: by whose fault it was', () => {
    const ends: [Refusal | undefined, boolean | undefined, object][] = [
      [new Refusal('connection_idle'), undefined, { refusal: 'connection_idle', callerLeft: false, status: 200 }],
      [undefined, undefined, { refusal: 'app_reset', callerLeft: false, status: 200 }],
      [new Refusal('connection_broken'), true, { refusal: '', callerLeft: true, status: 200 }],
    ];
    for (const [failure, callerLeft, expected] of ends) {
      const counted = begun();
      client(counted, headers(1, REQUEST), data(1, 'abc'));
      server(counted, headers(1, HEAD));
      counted.calls.ended(failure, callerLeft);
      counted.calls.ended(failure, callerLeft);
      expect(counted.served).to.have.length(1);
      expect(counted.served[0]).to.include({ ...expected, requestBytes: 3, protocol: 'grpc' });
    }
  });
});

/** A field of 400 bytes, put into the table once and used three times. */
function bomb(): Buffer {
  const value = Buffer.alloc(400, 'v');
  const put = Buffer.concat([Buffer.from([0x40, 1]), Buffer.from('x'), Buffer.from([127, 0x91, 0x02]), value]);
  return frame(FRAME.HEADERS, END_HEADERS, 1, Buffer.concat([put, USES, USES, USES]));
}
