import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect } from 'chai';
import { answerByHand, refusalOf } from '../../../citadel/api/parse-failure.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('an answer by hand', () => {
  const answered = () => {
    const written: Buffer[] = [];
    const socket = new Duplex({
      autoDestroy: false,
      read() {},
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk);
        done();
      },
    });
    const clock = new FakeClock();
    answerByHand(socket as unknown as Socket, new Refusal('request_headers_too_large'), 'id-1', clock);
    return { socket, clock, text: () => Buffer.concat(written).toString() };
  };

  it('is a whole HTTP response that ends the connection', () => {
    const { socket, text } = answered();
    const [head, body] = text().split('\r\n\r\n') as [string, string];
    expect(head.split('\r\n')).to.deep.equal([
      'HTTP/1.1 431 Request Header Fields Too Large',
      'content-type: application/problem+json',
      `content-length: ${body.length}`,
      'x-request-id: id-1',
      'connection: close',
    ]);
    expect(JSON.parse(body)).to.include({ code: 'request_headers_too_large', status: 431 });
    expect(socket.writableEnded).to.equal(true);
  });

  it('throws away what still comes, so that the caller is not reset before it has read the answer', async () => {
    const { socket, clock } = answered();
    socket.push(Buffer.alloc(1 << 20));
    await clock.advance(999);
    expect([socket.readableLength, socket.destroyed]).to.deep.equal([0, false]);
  });

  it('is over after a moment, and leaves no timer', async () => {
    const { socket, clock } = answered();
    await clock.advance(1_000);
    expect([socket.destroyed, clock.pending]).to.deep.equal([true, 0]);
  });

  it('is over at once for a caller that sends without end', async () => {
    const { socket, clock } = answered();
    for (let sent = 0; sent < 5; sent++) socket.push(Buffer.alloc(1 << 20));
    await clock.advance(1);
    expect([socket.destroyed, clock.pending]).to.deep.equal([true, 0]);
  });

  it('is not given to a caller that has gone', () => {
    for (const code of ['ECONNRESET', 'EPIPE'])
      expect(refusalOf(Object.assign(new Error('gone'), { code }))).to.equal(undefined);
    expect(refusalOf(Object.assign(new Error('x'), { code: 'HPE_INVALID_METHOD' }))).to.include({
      code: 'request_malformed',
    });
    expect(refusalOf(new Error('x'))).to.include({ code: 'request_malformed' });
  });
});
