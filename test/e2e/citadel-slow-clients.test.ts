/**
 * Promise: callers that are slow, silent or talk nonsense are ended within the limits, with a code where they can
 * read one, and honest callers are served meanwhile.
 * Real parts: citadel as a process with short limits; callers that write raw bytes over TCP and TLS.
 */
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { CitadelClient } from '../support/citadel-client.ts';
import { CitadelProcess } from '../support/citadel-process.ts';
import { askMeanwhile, type HonestReport } from '../support/honest-callers.ts';
import { RawClient } from '../support/raw-client.ts';
import { tlsCaller } from '../support/tls-caller.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { until } from '../support/until.ts';

const LIMITS = { handshakeSeconds: 1, headerSeconds: 1, requestSeconds: 2, idleSeconds: 1 };
/** Loose: the machine may be busy. A server that waits for slow callers takes as long as they do, which is for ever. */
const SLOWEST_HONEST_MS = 1500;
const HEAD = 'POST /v1/certificates HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';

describe('citadel, among slow and noisy callers', () => {
  let issuer: TestIssuer;
  let citadel: CitadelProcess;
  let client: CitadelClient;
  let token: string;
  let honest: Promise<HonestReport>;
  before(async () => {
    issuer = await TestIssuer.start();
    citadel = await CitadelProcess.start({ tokens: issuer, settings: { limits: LIMITS } });
    client = await citadel.client();
    token = issuer.token();
    for (const [property, work] of slow) outcomes.set(property, work());
    const all = Promise.allSettled(outcomes.values());
    honest = askMeanwhile({ client, token }, () => all).then((report) => report.honest);
  });
  after(async () => {
    await honest; // nobody is left asking
    await citadel?.[Symbol.asyncDispose]();
    issuer?.close();
  });

  /** Slow callers take seconds by their nature: all of them come at once, and each test looks at what its own met. */
  const slow = new Map<string, () => Promise<void>>();
  const outcomes = new Map<string, Promise<void>>();
  const slowly = (property: string, work: () => Promise<void>): void => {
    slow.set(property, work);
    it(property, () => outcomes.get(property));
  };

  /** Answered once, with the code, then closed; and logged under the same id. */
  const endsWith = async (caller: RawClient, status: number, code: string): Promise<void> => {
    const text = await caller.closed();
    expect(text)
      .to.match(new RegExp(`^HTTP/1\\.1 ${status} `))
      .and.include(`"code":"${code}"`);
    expect(text).to.match(/content-type: application\/problem\+json/i);
    expect(statusesIn(text)).to.equal(String(status));
    const requestId = /x-request-id: (\w+)/i.exec(text)?.[1];
    expect((await citadel.logged(requestId)).fields).to.include({ code });
    expect(await citadel.refusals(code)).to.be.greaterThan(0);
  };
  const droppedHandshakes = (): Promise<number> =>
    citadel.metric('citadel_connections_dropped_total{reason="handshake"}');

  slowly('ends headers that come a letter at a time', async () => {
    await using caller = await tlsCaller(citadel.port);
    using _ = dripping(caller, `${HEAD}x-filler: and so on`);
    await endsWith(caller, 408, 'request_timeout');
  });

  slowly('ends bodies that come a letter at a time', async () => {
    await using caller = await tlsCaller(citadel.port);
    caller.send(`${HEAD}authorization: Bearer ${token}\r\ncontent-length: 1000\r\n\r\n`);
    using _ = dripping(caller, '{"csr":"-----BEGIN CERTIFICATE REQUEST-----');
    await endsWith(caller, 408, 'request_timeout');
  });

  slowly('ends connections that say nothing after the handshake', async () => {
    await using caller = await tlsCaller(citadel.port);
    await endsWith(caller, 408, 'request_timeout');
  });

  slowly('ends kept connections that stay idle, without an answer to nothing', async () => {
    await using caller = await tlsCaller(citadel.port);
    caller.send('GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(statusesIn(await caller.closed())).to.equal('200');
  });

  slowly('ends half a TLS handshake, and a connection without one, and counts them', async () => {
    await using half = await RawClient.connect(citadel.port);
    await using silent = await RawClient.connect(citadel.port);
    half.socket.write(CLIENT_HELLO_BEGINNING);
    await Promise.all([half.closed(), silent.closed()]);
    await until('both are counted', async () => (await droppedHandshakes()) >= 2 || undefined);
  });

  slowly('ends a hundred half handshakes, slow headers and slow bodies each', async () => {
    const halves = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(citadel.port)));
    for (const { socket } of halves) socket.write(CLIENT_HELLO_BEGINNING);
    const slow = await Promise.all(Array.from({ length: 200 }, () => tlsCaller(citadel.port)));
    slow.forEach((caller, at) => {
      caller.send(at % 2 === 0 ? HEAD : `${HEAD}authorization: Bearer ${token}\r\ncontent-length: 100\r\n\r\n{`);
    });
    await Promise.all([...halves, ...slow].map((caller) => caller.closed()));
    for (const { text } of slow) expect(text).to.include('"code":"request_timeout"');
  });

  it('serves honest callers among all of them', async () => {
    const { answers, refused, slowest } = await honest;
    expect(answers).to.be.greaterThan(20);
    expect(refused).to.deep.equal([]);
    expect(slowest).to.be.below(SLOWEST_HONEST_MS);
  });

  it('ends plain HTTP on the TLS port at once', async () => {
    await using plain = await RawClient.connect(citadel.port);
    plain.send('GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(statusesIn(await plain.closed())).to.equal('');
  });

  it('answers a header of 1 MiB with its code, and does not swallow it whole', async () => {
    await using caller = await tlsCaller(citadel.port);
    caller.send(`${HEAD}x-filler: ${'x'.repeat(1 << 20)}\r\n\r\n`);
    await endsWith(caller, 431, 'request_headers_too_large');
  });

  it('cuts off a caller that never stops to send', async () => {
    await using caller = await tlsCaller(citadel.port);
    caller.send(`${HEAD}authorization: Bearer ${token}\r\ncontent-length: 1000000000\r\n\r\n`);
    await pourInto(caller.socket, MOST_POURED);
    expect(caller.socket.bytesWritten, caller.text).to.be.below(MOST_POURED);
    expect(await citadel.refusals('request_too_large')).to.equal(1);
  });
});

function statusesIn(text: string): string {
  return Array.from(text.matchAll(/HTTP\/1\.1 (\d{3})/g), (match) => match[1]).join(' ');
}

/** A record header that announces 512 octets of handshake, and the first few of them. */
const CLIENT_HELLO_BEGINNING = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);

/** Writes a letter every few milliseconds, over and over, until the other side has had enough: never still. */
function dripping({ socket }: RawClient, text: string): Disposable {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.writable) socket.write(text[at++ % text.length]!);
  }, 50);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const MOST_POURED = 64 << 20;

/** Sends as fast as it goes, until the other side has had enough. */
async function pourInto(socket: Socket, most: number): Promise<void> {
  const part = Buffer.alloc(1 << 18, 'x');
  while (socket.writable && socket.bytesWritten < most) {
    const flushed = Promise.withResolvers<void>();
    // Called also when the connection ends with the part in it.
    socket.write(part, () => flushed.resolve());
    await flushed.promise;
  }
}
