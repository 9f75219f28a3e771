/**
 * Every limit of a tunnel session in one table: what it bounds, its unit, and why it is as large as it is. A peer
 * that goes past one loses its stream or its session, never our memory.
 */

/** So many at once, and so many per second after that. */
export interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

export interface TunnelLimits {
  /** Streams that the peer may have open: SETTINGS_MAX_CONCURRENT_STREAMS. One session serves all connections of a peer. */
  readonly streams: number;
  /** Streams to open at most before the peer has said its limit: the least that RFC 9113 §6.5.2 recommends. */
  readonly streamsBeforeSettings: number;
  /** Bytes of one frame's payload. Larger ones won nothing, smaller ones cost bulk. */
  readonly frameBytes: number;
  /** Bytes that a new stream may have under way. Times `streams`, less than `heldBytes`: so many may stand still at once. */
  readonly windowBytes: number;
  /** Bytes to which a stream's window grows while it drains fast. */
  readonly windowMostBytes: number;
  /** Bytes that windows may grow to, shared out among the open streams. */
  readonly grownBytes: number;
  /** Bytes that all streams together may have under way. Four of the largest, or one stalled stream could stop all. */
  readonly connectionWindowBytes: number;
  /** Bytes received for streams whose receivers are slow; past it the whole session stands still with them. */
  readonly heldBytes: number;
  /** Bytes one stream may have waiting when its writer goes on in spite of `false`. */
  readonly queuedBytesPerStream: number;
  readonly queuedBytesPerSession: number;
  /** Bytes in the socket at which streams have to wait. */
  readonly socketBytes: number;
  /** Bytes in the socket at which the peer is taken for one that never reads: only answers to its frames pile up so high. */
  readonly unsentBytes: number;
  /** Bytes of a decoded header list (RFC 9113 §6.5.2 counts 32 per field). */
  readonly headerListBytes: number;
  /** CONTINUATION frames behind one HEADERS. */
  readonly continuations: number;
  /** Entries of one SETTINGS frame. */
  readonly settingsEntries: number;

  /** Milliseconds for the preface, the first SETTINGS and the ACK of ours. */
  readonly settingsMs: number;
  /** Milliseconds between two PINGs, which show that the peer lives and how far away it is. */
  readonly pingEveryMs: number;
  /** Milliseconds of complete silence after a PING. */
  readonly pingTimeoutMs: number;
  /** Milliseconds for an open, waiting for room included. */
  readonly openMs: number;
  /** Milliseconds after the first GOAWAY when its PING stays unanswered. */
  readonly goawayStepMs: number;
  /** Milliseconds that a peer has to close its side after we closed ours. */
  readonly closeMs: number;

  /** RST_STREAM frames of the peer, and streams that we had to reset for its faults (rapid reset, CVE-2023-44487). */
  readonly resets: Allowance;
  readonly pings: Allowance;
  readonly settings: Allowance;
  /** DATA without bytes and without END_STREAM (CVE-2019-9518). */
  readonly emptyData: Allowance;
  /** WINDOW_UPDATE frames beyond those that our DATA entitles the peer to (CVE-2019-9511). */
  readonly windowUpdates: Allowance;
  /** PRIORITY and frames of unknown type: ignored, but not for free. */
  readonly ignored: Allowance;
  /** HEADERS frames: streams opened. */
  readonly headers: Allowance;
  /** Frames for streams that are over: some are always under way. */
  readonly late: Allowance;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const TUNNEL_LIMITS: TunnelLimits = {
  streams: 4096,
  streamsBeforeSettings: 100,
  frameBytes: 64 * KIB,
  windowBytes: 64 * KIB,
  windowMostBytes: 4 * MIB,
  grownBytes: 32 * MIB,
  connectionWindowBytes: 16 * MIB,
  heldBytes: 128 * MIB,
  queuedBytesPerStream: 4 * MIB,
  queuedBytesPerSession: 64 * MIB,
  socketBytes: 4 * MIB,
  unsentBytes: 8 * MIB,
  headerListBytes: 32 * KIB,
  continuations: 16,
  settingsEntries: 32,

  settingsMs: 10_000,
  pingEveryMs: 10_000,
  pingTimeoutMs: 20_000,
  openMs: 10_000,
  goawayStepMs: 1_000,
  closeMs: 1_000,

  resets: { burst: 2_000, perSecond: 500 },
  pings: { burst: 100, perSecond: 10 },
  settings: { burst: 50, perSecond: 5 },
  emptyData: { burst: 1_000, perSecond: 100 },
  windowUpdates: { burst: 10_000, perSecond: 1_000 },
  ignored: { burst: 1_000, perSecond: 100 },
  headers: { burst: 20_000, perSecond: 10_000 },
  late: { burst: 10_000, perSecond: 2_000 },
};
