/**
 * The contract between listeners (who accept and authenticate) and relays (who carry bytes). A relay never asks
 * where a connection came from, a listener never looks at a byte: a faster relay or a tunnel between sidecars
 * can take the place of either implementation without the other side noticing.
 */
import type { Socket } from 'node:net';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel } from '../channel/channel.ts';
import type { Identity } from '../identity/identity.ts';
import type { VerifiedPeer } from '../tls/peer-check.ts';
import type { UpstreamConnection } from './upstream.ts';

/** Seen from this pod: towards the app, or away from it. */
export type Direction = 'inbound' | 'outbound';

/** `h2`: bytes, whose calls are counted. `auto`: by the first bytes of each connection. */
export type RelayProtocol = 'http' | 'h2' | 'tcp' | 'auto';

/** Why a connection is to end soon. */
export type RetirementReason = 'expiry' | 'rotation' | 'draining';

/** `retiring`: its end is near, what it carries may finish. `expired`: it may start nothing new. */
export type ConnectionState = 'open' | 'retiring' | 'expired';

/** How whoever carries a connection ends it. Each may be called several times, in this order. */
export interface Carrier {
  /** The end is near: say so to the other side as the protocol allows, start nothing that will not finish. */
  retire(reason: RetirementReason): void;
  /** The identity that opened it is over: start nothing new; what is in progress has a short grace. */
  expire(): void;
  /** The grace is over: close it now, whatever is in progress. */
  cut(why: Refusal): void;
}

/** What the registry knows of one connection. */
export interface RegisteredConnection {
  readonly id: number;
  /** Ends when its session tells so: the other side knows then that nothing more is to be asked by it. */
  readonly isStream?: boolean;
  readonly state: ConnectionState;
  /** Counted by the relay. */
  requests: number;
  /** Names who ends it; replaces an earlier carrier. What has been decided before is told at once. */
  carriedBy(carrier: Carrier): void;
}

export interface ConnectionFacts {
  readonly direction: Direction;
  readonly listener: string;
  /** `tunnel`: a session, whatever its streams carry. */
  readonly protocol: RelayProtocol | 'tunnel';
  /** `mtls`: authenticated, ends with the identities that opened it. `app`: plaintext on loopback, untouched by rotation. `plain`: from elsewhere without TLS, because the settings say so. */
  readonly leg: 'mtls' | 'app' | 'plain';
  /** Who opened it. */
  readonly role: 'accepted' | 'dialed';
  readonly socket: Socket;
  readonly peer?: VerifiedPeer;
  readonly own?: Identity;
}

/** Where connections are entered; it forgets them when their socket closes. */
export interface Registrar {
  register(facts: ConnectionFacts): RegisteredConnection;
}

/** A connection that a listener has accepted. Nothing has been read from it; its errors are the relay's from here on. */
export interface Accepted {
  readonly channel: Channel;
  readonly connection: RegisteredConnection;
  /** Who proved to be at the other end; absent for the app on loopback. */
  readonly peer?: VerifiedPeer;
  /** The own identity that the connection was accepted with; absent for the app on loopback. */
  readonly own?: Identity;
  /** A connection to the destination that was made already. With it `accept` takes over both channels before it returns. */
  readonly ready?: UpstreamConnection;
}

export interface Relay {
  /** Never throws: what goes wrong with one connection ends that connection. */
  accept(accepted: Accepted): void;
  /** Lets every connection finish what it is doing; idle ones end now. New ones may still come. */
  drain(): void;
  /** Cuts everything. */
  close(): void;
}
