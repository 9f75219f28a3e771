/** Numbers of the wire (RFC 9113 §4.1, §6), and what each type of frame must look like before its payload is read. */
import { H2, protocolFault, SessionFault } from './error-codes.ts';

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;

export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

export const HEADER_BYTES = 9;
/** RFC 9113 §3.4. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** What both sides assume before SETTINGS (RFC 9113 §6.5.2, §6.9.2). */
export const DEFAULT_WINDOW = 65_535;
export const DEFAULT_FRAME_BYTES = 16_384;
/** RFC 9113 §4.2. */
export const MOST_FRAME_BYTES = 2 ** 24 - 1;
/** Of a window, a stream id and an increment (RFC 9113 §5.1.1, §6.9.1). */
export const MOST_31_BITS = 2 ** 31 - 1;

interface Shape {
  readonly name: string;
  /** Belongs to the connection (stream 0) or to a stream (RFC 9113 §6.1 to §6.10); undefined: either. */
  readonly ofStream: boolean | undefined;
  fits(length: number, flags: number): boolean;
}

const SHAPES: readonly Shape[] = [
  { name: 'DATA', ofStream: true, fits: (length, flags) => length > 0 || (flags & FLAG.PADDED) === 0 },
  { name: 'HEADERS', ofStream: true, fits: () => true },
  { name: 'PRIORITY', ofStream: true, fits: (length) => length === 5 },
  { name: 'RST_STREAM', ofStream: true, fits: (length) => length === 4 },
  {
    name: 'SETTINGS',
    ofStream: false,
    fits: (length, flags) => ((flags & FLAG.ACK) === 0 ? length % 6 === 0 : length === 0),
  },
  { name: 'PUSH_PROMISE', ofStream: true, fits: () => true },
  { name: 'PING', ofStream: false, fits: (length) => length === 8 },
  { name: 'GOAWAY', ofStream: false, fits: (length) => length >= 8 },
  { name: 'WINDOW_UPDATE', ofStream: undefined, fits: (length) => length === 4 },
  { name: 'CONTINUATION', ofStream: true, fits: () => true },
];

/** Throws for a frame of a known type that cannot be right whatever it says. */
export function checkShape(type: number, flags: number, stream: number, length: number): void {
  const shape = SHAPES[type];
  if (shape === undefined) return;
  if (shape.ofStream !== undefined && shape.ofStream !== (stream !== 0)) {
    throw protocolFault(`${shape.name} on stream ${stream}`);
  }
  if (!shape.fits(length, flags)) throw new SessionFault(H2.FRAME_SIZE_ERROR, `${shape.name} of ${length} bytes`);
}

export function isKnownType(type: number): boolean {
  return type < SHAPES.length;
}
