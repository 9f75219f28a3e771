/**
 * The error codes of HTTP/2 (RFC 9113 §7), and the fault that ends a whole session. A fault of one stream is no
 * exception: it is a RST_STREAM.
 */
import type { RefusalCode } from '../../shared/errors/refusal.ts';

export const H2 = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

const NAMES = Object.keys(H2);

/** RFC 9113 §7: unknown codes are nothing special. */
export function nameOfCode(code: number): string {
  return NAMES[code] ?? `code ${code}`;
}

/** The peer broke a rule of the whole connection (RFC 9113 §5.4.1): GOAWAY with this code, then the end. */
export class SessionFault extends Error {
  readonly code: number;

  constructor(code: number, what: string) {
    super(what);
    this.name = 'SessionFault';
    this.code = code;
  }

  get refusal(): RefusalCode {
    if (this.code === H2.ENHANCE_YOUR_CALM) return 'tunnel_flooded';
    return this.code === H2.SETTINGS_TIMEOUT ? 'tunnel_silent' : 'tunnel_malformed';
  }
}

export function protocolFault(what: string): SessionFault {
  return new SessionFault(H2.PROTOCOL_ERROR, what);
}
