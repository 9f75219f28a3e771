/** Where a relay sends what it carries: the app on loopback, or a peer behind mutual TLS. It makes connections, it keeps none. */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel } from '../channel/channel.ts';
import type { Identity } from '../identity/identity.ts';
import type { VerifiedPeer } from '../tls/peer-check.ts';
import type { RegisteredConnection } from './relay.ts';

/** A connection that is ready to be written to. Nothing of it is read before its channel has a receiver. */
export interface UpstreamConnection {
  readonly channel: Channel;
  /** The entry in the registry: authenticated connections end with the identities that opened them. */
  readonly connection?: RegisteredConnection;
  readonly peer?: VerifiedPeer;
  readonly own?: Identity;
  /** Called when the connection is over, by who carries it: the endpoint has one less in progress. */
  readonly release?: () => void;
}

export interface Upstream {
  readonly kind: 'app' | 'peer';
  /** `host:port`, for logs. */
  readonly address: string;
  /** @throws {Refusal} why it cannot be reached or is not trusted */
  dial(signal?: AbortSignal): Promise<UpstreamConnection>;
}

/** Ends a connection that was made for nothing. */
export function giveUp({ channel, release }: UpstreamConnection, why: string): void {
  release?.();
  channel.abort(new Refusal('connection_broken', why));
}
