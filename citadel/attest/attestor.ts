/**
 * What it means to attest: turn a bearer token into facts about one pod, or refuse. The facts are all that
 * identity is ever decided from. An attestor never decides an identity and never keeps or logs a token.
 */

/** Facts that the cluster vouches for. */
export interface Attested {
  readonly method: 'token-review' | 'oidc' | 'both';
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly serviceAccountUid: string;
  readonly podName: string;
  readonly podUid: string;
  /** Absent in clusters before Kubernetes 1.30. */
  readonly nodeName?: string;
  /** The token's `jti`, or the beginning of its SHA-256 when it has none; never the token. */
  readonly tokenId: string;
  /** Milliseconds since the Unix epoch. */
  readonly tokenExpiresAt: number;
}

export interface Attestor {
  /**
   * @param signal ends the caller's wait; work that others wait for too goes on
   * @throws {Refusal} token_*: 401 when the token is at fault, 503 when it could not be judged
   */
  attest(token: string, signal: AbortSignal): Promise<Attested>;
  close(): Promise<void>;
}
