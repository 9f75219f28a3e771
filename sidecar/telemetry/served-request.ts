/** The facts of one request or connection that is over, as metrics and access log take them. Plain values only. */

export interface ServedRequest {
  readonly requestId: string;
  readonly method: string;
  /** Without query: queries carry secrets. */
  readonly path: string;
  /** `grpc` by the content type of the answer. */
  readonly protocol: 'http' | 'grpc';
  /** The status that the caller got; 0 when it left before. */
  readonly status: number;
  /** Of a gRPC answer; empty otherwise. */
  readonly grpcStatus: string;
  /** Why it was refused or cut, a code from the one table; empty when it was carried to its end. */
  readonly refusal: string;
  /** Whether the caller left before its answer was complete. */
  readonly callerLeft: boolean;
  /** Milliseconds. */
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly answerBytes: number;
  /** SPIFFE ID that the other side proved in the handshake; absent when there was none. */
  readonly peer: string | undefined;
  /** The own SPIFFE ID in the same handshake. */
  readonly own: string | undefined;
}

export interface ServedConnection {
  readonly refusal: string;
  readonly durationMs: number;
  /** From the one who connected. */
  readonly receivedBytes: number;
  /** To the one who connected. */
  readonly sentBytes: number;
  readonly peer: string | undefined;
  readonly own: string | undefined;
}
