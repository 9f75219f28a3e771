/** Streams to one peer share as few sessions as they can, and a session that is going away takes none of them. */
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { type PooledSession, SessionPool } from '../../../sidecar/tunnel/session-pool.ts';
import type { TunnelStream } from '../../../sidecar/tunnel/tunnel-stream.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** Opens at once, as long as it is told to. */
class FakeSession implements PooledSession {
  room = 100;
  streams = 0;
  isDraining = false;
  isClosed = false;
  refusal: Refusal | undefined;

  async open(): Promise<TunnelStream> {
    if (this.refusal) throw this.refusal;
    this.streams++;
    this.room--;
    return {} as TunnelStream;
  }

  drain(): void {
    this.isDraining = true;
  }
}

function pool(options: { mostSessions?: number; make?: (turn: number) => FakeSession } = {}) {
  const clock = new FakeClock();
  const dialed: FakeSession[] = [];
  const waiting: (() => void)[] = [];
  const subject = new SessionPool<FakeSession>({
    clock,
    idleSeconds: 300,
    mostSessions: options.mostSessions ?? 4,
    dial: () => {
      const session = options.make?.(dialed.length) ?? new FakeSession();
      dialed.push(session);
      return new Promise((resolve) => waiting.push(() => resolve(session)));
    },
  });
  const answer = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return { subject, clock, dialed, answer, open: () => subject.open('orders:80', []) };
}

describe('sessions to a peer', () => {
  it('are one for a thousand streams that come while none is open', async () => {
    const { open, dialed, answer } = pool({ make: () => Object.assign(new FakeSession(), { room: 5_000 }) });
    const streams = Array.from({ length: 1_000 }, open);
    answer();
    const sessions = new Set((await Promise.all(streams)).map(({ session }) => session));
    expect([sessions.size, dialed.length]).to.deep.equal([1, 1]);
  });

  it('become two only when one is full, and no more than the limit', async () => {
    const { open, dialed, answer } = pool({
      mostSessions: 2,
      make: () => Object.assign(new FakeSession(), { room: 1 }),
    });
    for (let turn = 0; turn < 2; turn++) {
      const stream = open();
      answer();
      await stream;
    }
    const third = await open();
    expect(dialed).to.have.length(2);
    expect(dialed).to.include(third.session);
  });

  it('are replaced as soon as one drains', async () => {
    const { open, dialed, answer } = pool();
    const first = open();
    answer();
    (await first).session.drain();
    const second = open();
    answer();
    expect((await second).session).to.equal(dialed[1]);
  });

  it('take a stream that was not processed elsewhere', async () => {
    const { open, dialed, answer } = pool({
      make: (turn) =>
        Object.assign(new FakeSession(), turn === 0 ? { refusal: new Refusal('tunnel_unprocessed') } : {}),
    });
    const opened = open();
    answer();
    await Promise.resolve();
    dialed[0]!.isDraining = true;
    await new Promise((resolve) => setImmediate(resolve));
    answer();
    expect((await opened).session).to.equal(dialed[1]);
  });

  it('pass a refusal on when every try was refused, and any other refusal at once', async () => {
    const refusing = (code: 'tunnel_unprocessed' | 'tunnel_refused') => {
      let opens = 0;
      const session = new FakeSession();
      session.open = async () => {
        opens++;
        throw new Refusal(code);
      };
      const { open, answer } = pool({ make: () => session });
      const result = open().then(
        () => 'opened',
        (error: Refusal) => `${error.code} after ${opens}`,
      );
      answer();
      return result;
    };
    expect(await refusing('tunnel_unprocessed')).to.equal('tunnel_unprocessed after 3');
    expect(await refusing('tunnel_refused')).to.equal('tunnel_refused after 1');
  });

  it('go on being dialed for others when one caller leaves', async () => {
    const { subject, open, dialed, answer } = pool();
    const leaving = new AbortController();
    const left = subject.open('orders:80', [], leaving.signal).catch((error: Refusal) => error.code);
    const stays = open();
    leaving.abort();
    expect(await left).to.equal('upstream_unreachable');
    answer();
    expect((await stays).session).to.equal(dialed[0]);
  });

  it('are let go after a time without a stream, and not before', async () => {
    const { open, clock, dialed, answer } = pool();
    const opened = open();
    answer();
    await opened;
    await clock.advance(3_600_000);
    expect(dialed[0]!.isDraining).to.equal(false);
    dialed[0]!.streams = 0;
    await clock.advance(149_000);
    expect(dialed[0]!.isDraining).to.equal(false);
    await clock.advance(300_000);
    expect(dialed[0]!.isDraining).to.equal(true);
    expect(clock.pending).to.equal(0);
  });

  it('are not opened any more once the pool is closed', async () => {
    const { subject, open, dialed, answer } = pool();
    const opened = open();
    subject.close();
    answer();
    await opened;
    expect(dialed[0]!.isDraining).to.equal(true);
    expect(await open().catch((error: Refusal) => error.code)).to.equal('draining');
  });
});
