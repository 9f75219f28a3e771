/**
 * What reading along costs: unary gRPC calls of Node's HTTP/2 are recorded once and then read again and again.
 * `node test/sidecar/relay/h2-calls-cost.ts [calls]` prints nanoseconds per call and per frame, and of bulk per MiB.
 */
import { systemClock } from '../../../shared/clock/clock.ts';
import { H2Calls } from '../../../sidecar/relay/h2-calls.ts';
import { HEADER_BYTES, PREFACE } from '../../../sidecar/tunnel/frame-format.ts';
import { call } from './h2-calls-app.ts';
import { type Piece, Rig, WHO } from './h2-calls-rig.ts';

const CALLS = 200;

async function recorded(method: string, messages: readonly number[], headers: (at: number) => object) {
  await using rig = await Rig.start();
  for (let at = 0; at < CALLS; at++) {
    await call(rig.session, { method, id: `call-${at}`, messages, headers: { ...headers(at) } });
  }
  return rig.passed;
}

function framesOf(pieces: readonly Piece[], fromClient: boolean): number {
  const bytes = Buffer.concat(pieces.filter((one) => one.fromClient === fromClient).map((one) => one.bytes));
  let frames = 0;
  for (let at = fromClient ? PREFACE.length : 0; at + HEADER_BYTES <= bytes.length; frames++) {
    at += HEADER_BYTES + bytes.readUIntBE(at, 3);
  }
  return frames;
}

/** @returns nanoseconds for all calls of the recording */
function nanosecondsOf(pieces: readonly Piece[], rounds: number): number {
  let served = 0;
  const started = process.hrtime.bigint();
  for (let left = rounds; left > 0; left--) {
    const calls = new H2Calls({
      clock: systemClock,
      who: WHO,
      resetCode: 'app_reset',
      served: () => served++,
      lost: (reason) => {
        throw new Error(reason);
      },
    });
    for (const { fromClient, bytes } of pieces) {
      if (fromClient) calls.fromClient(bytes);
      else calls.fromServer(bytes);
    }
  }
  const spent = Number(process.hrtime.bigint() - started);
  if (served !== rounds * CALLS) throw new Error(`${served} calls were counted`);
  return spent / rounds;
}

const rounds = Number(process.argv[2] ?? 200_000) / CALLS;
const shapes = {
  'unary, an id and a deadline of its own each': await recorded('Unary', [100], (at) => ({ 'grpc-timeout': `${at}m` })),
  'unary, the same headers each': await recorded('Unary', [100], () => ({ 'x-request-id': 'same' })),
  'download of 1 MB': await recorded('Download', [5], () => ({})),
};
for (const [what, pieces] of Object.entries(shapes)) {
  const few = what.startsWith('download') ? Math.max(1, rounds / 50) : rounds;
  nanosecondsOf(pieces, Math.ceil(few / 4));
  const least = Math.min(...[1, 2, 3].map(() => nanosecondsOf(pieces, Math.ceil(few))));
  const frames = framesOf(pieces, true) + framesOf(pieces, false);
  process.stdout.write(
    `${what}: ${(least / CALLS).toFixed(0)} ns a call, ${(least / frames).toFixed(0)} ns a frame, ${(frames / CALLS).toFixed(1)} frames a call\n`,
  );
}
