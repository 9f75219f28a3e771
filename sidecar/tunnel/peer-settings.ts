/** Applies the SETTINGS of the peer, value by value in their order (RFC 9113 §6.5.2, §6.5.3). */
import { H2, protocolFault, SessionFault } from './error-codes.ts';
import { DEFAULT_FRAME_BYTES, MOST_31_BITS, MOST_FRAME_BYTES, SETTING } from './frame-format.ts';
import type { SessionCore } from './session-core.ts';

const ENTRY_BYTES = 6;

export function applySettings(core: SessionCore, bytes: Buffer, from: number, to: number): void {
  if ((to - from) / ENTRY_BYTES > core.limits.settingsEntries) {
    throw new SessionFault(H2.ENHANCE_YOUR_CALM, 'too many entries in SETTINGS');
  }
  for (let at = from; at < to; at += ENTRY_BYTES) apply(core, bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
}

function apply(core: SessionCore, setting: number, value: number): void {
  switch (setting) {
    case SETTING.HEADER_TABLE_SIZE:
      return void core.encoder.tableSizeChanged();
    case SETTING.ENABLE_PUSH:
      // RFC 9113 §6.5.2: 0 or 1, and a server never says 1.
      if (value > 1 || (value === 1 && core.role === 'client')) throw protocolFault('SETTINGS_ENABLE_PUSH');
      return;
    case SETTING.MAX_CONCURRENT_STREAMS:
      core.peerStreams = value;
      return;
    case SETTING.INITIAL_WINDOW_SIZE:
      return void changeWindows(core, value);
    case SETTING.MAX_FRAME_SIZE:
      if (value < DEFAULT_FRAME_BYTES || value > MOST_FRAME_BYTES) throw protocolFault('SETTINGS_MAX_FRAME_SIZE');
      core.outflow.frameBytes = Math.min(value, core.limits.frameBytes);
      return;
    default:
    // RFC 9113 §6.5.2: unknown settings are ignored. The size of header lists is advice; ours are small.
  }
}

/** RFC 9113 §6.9.2: of open streams too, which may leave them below zero. */
function changeWindows(core: SessionCore, value: number): void {
  if (value > MOST_31_BITS) throw new SessionFault(H2.FLOW_CONTROL_ERROR, 'SETTINGS_INITIAL_WINDOW_SIZE');
  const { outflow } = core;
  const change = value - outflow.initialWindow;
  outflow.initialWindow = value;
  for (const stream of core.streams.values()) {
    stream.sendWindow += change;
    if (stream.sendWindow > MOST_31_BITS) throw new SessionFault(H2.FLOW_CONTROL_ERROR, 'a window overflows');
    outflow.enqueue(stream);
  }
}
