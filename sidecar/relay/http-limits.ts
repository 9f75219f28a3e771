/** What one HTTP connection may take of this sidecar, as the configuration has it. */
export interface HttpLimits {
  /** For a whole header section, from the first byte of the connection or request. */
  readonly headerSeconds: number;
  readonly headerBytes: number;
  readonly headerCount: number;
  /** Between two pieces of a request's body, while this sidecar is ready to take them. */
  readonly bodyIdleSeconds: number;
  /** Between two requests, and of a destination that says nothing. */
  readonly idleSeconds: number;
}
