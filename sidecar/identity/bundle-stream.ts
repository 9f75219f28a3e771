/**
 * The watch stream of citadel as bundles: one JSON document per line, bounded in size; silence longer than three
 * heartbeats is a dead connection. A line of an unknown kind is passed over, since a newer citadel may send some.
 * It opens nothing, and does not judge a bundle beyond its format.
 */
import { readWatchMessage } from '../../shared/api/messages.ts';
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { decodeBundle } from '../../shared/spiffe/trust-bundle.ts';
import type { OnBundle } from './identity-source.ts';

export interface BundleStreamOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** citadel sends a heartbeat every 15 s. */
const LONGEST_SILENCE_MS = 45_000;
const LONGEST_LINE = 1024 * 1024;
const LINE_FEED = 0x0a;

/** @throws {Refusal} when the stream breaks off, is silent too long, or is no NDJSON; or the signal's reason */
export async function readBundleStream(
  body: AsyncIterable<Buffer> & { destroy(error?: Error): unknown },
  { clock, log, signal }: BundleStreamOptions,
  onBundle: OnBundle,
): Promise<void> {
  let silence: Timer | undefined;
  const listen = (): void => {
    silence?.cancel();
    silence = clock.after(LONGEST_SILENCE_MS, () =>
      body.destroy(new Refusal('citadel_unreachable', 'the watch stream fell silent')),
    );
  };
  const onAbort = (): void => void body.destroy();
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  listen();
  try {
    for await (const line of linesOf(body)) {
      listen();
      await take(line, log, onBundle);
    }
    signal.throwIfAborted();
  } catch (error) {
    signal.throwIfAborted();
    throw asRefusal(error, 'citadel_unreachable');
  } finally {
    silence?.cancel();
    signal.removeEventListener('abort', onAbort);
    body.destroy();
  }
}

/** A bundle that cannot be used is told; the next one may be good. */
async function take(line: string, log: Log, onBundle: OnBundle): Promise<void> {
  const message = readWatchMessage(line);
  if (message?.type !== 'bundle') return;
  const { trustDomain, version, bundle } = message;
  try {
    await onBundle(decodeBundle(trustDomain, bundle), version);
  } catch (error) {
    const { code, detail } = asRefusal(error, 'citadel_answer_invalid');
    log.error('bundle_refused', { trustDomain, version, code, detail });
  }
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      parts.push(chunk.subarray(from, end));
      yield Buffer.concat(parts).toString('utf8');
      parts = [];
      size = 0;
      from = end + 1;
    }
    size += chunk.length - from;
    if (size > LONGEST_LINE) throw new Refusal('citadel_answer_invalid', `a line of more than ${LONGEST_LINE} bytes`);
    if (from < chunk.length) parts.push(chunk.subarray(from));
  }
}
