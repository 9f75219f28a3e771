/**
 * The limits of reading along in one HTTP/2 connection of an app, each with its unit and why it is as large as it is.
 * Past one the connection is carried as before; only its calls are not counted any more.
 */

export interface H2CallLimits {
  /** Calls under way at once. Servers announce 100 to 1000; each costs some hundred bytes here. */
  readonly calls: number;
  /** Bytes of a decoded header list (RFC 9113 §6.5.2 counts 32 per field). gRPC itself takes 8 KiB, Node 64 KiB. */
  readonly headerListBytes: number;
  /** CONTINUATION frames behind one HEADERS: with 16 KiB frames four are more than any list that is taken. */
  readonly continuations: number;
  /** Bytes of a sender's header table: what browsers ask for, and 16 times the default. */
  readonly tableBytes: number;
  /** Bytes of one frame other than DATA, which may have to be gathered. */
  readonly wholeFrameBytes: number;
}

const KIB = 1024;

export const H2_CALL_LIMITS: H2CallLimits = {
  calls: 4096,
  headerListBytes: 64 * KIB,
  continuations: 16,
  tableBytes: 64 * KIB,
  wholeFrameBytes: 64 * KIB,
};
