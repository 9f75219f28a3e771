/**
 * Both ends of mutual TLS for tests: a store with a good identity, a server on a free port that remembers whom it
 * let in and whom it refused, and a plain TLS client that can be anything.
 */
import { once } from 'node:events';
import type net from 'node:net';
import type { AddressInfo } from 'node:net';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import { silentLog } from '../../shared/log/log.ts';
import type { Identity } from '../../sidecar/identity/identity.ts';
import { IdentityStore } from '../../sidecar/identity/identity-store.ts';
import type { HandshakeLimits } from '../../sidecar/tls/handshakes-under-way.ts';
import { createMtlsServer } from '../../sidecar/tls/mtls-server.ts';
import type { VerifiedPeer } from '../../sidecar/tls/peer-check.ts';
import type { TestAuthority, TestSvid, TestSvidOptions } from './test-authority.ts';

/** A store as it is after the first certificate. */
export function storeOf(
  authority: TestAuthority,
  svid: TestSvidOptions = {},
  clock: Clock = systemClock,
): IdentityStore {
  const store = new IdentityStore({ trustDomain: authority.trustDomain, clock, log: silentLog });
  store.publishTrust(authority.bundle());
  publish(store, authority.svid(svid));
  return store;
}

export function publish(store: IdentityStore, { chainDer, keys }: TestSvid): Identity {
  return store.publish({ chain: chainDer, privateKey: keys.privateKey });
}

export interface Admitted {
  readonly socket: TLSSocket;
  readonly peer: VerifiedPeer;
  readonly own: Identity;
}

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly server: tls.Server;
  /** The next peer that is let in. */
  admitted(): Promise<Admitted>;
  /** The next one that is refused. */
  refused(): Promise<{ readonly refusal: Refusal; readonly address: string }>;
  readonly counts: { admitted: number; refused: number };
}

export async function startServer(
  store: IdentityStore,
  options: { clock?: Clock; handshakeSeconds?: number; handshakes?: HandshakeLimits } = {},
): Promise<TestServer> {
  const admitted = queue<Admitted>();
  const refused = queue<{ refusal: Refusal; address: string }>();
  const sockets = new Set<TLSSocket>();
  const counts = { admitted: 0, refused: 0 };
  const server = createMtlsServer({
    store,
    clock: options.clock ?? systemClock,
    handshakeSeconds: options.handshakeSeconds ?? 5,
    ...(options.handshakes ? { handshakes: options.handshakes } : {}),
    onPeer: (socket, peer, own) => {
      sockets.add(socket.on('error', () => socket.destroy()));
      counts.admitted++;
      admitted.put({ socket, peer, own });
    },
    onRefused: (refusal, address) => {
      counts.refused++;
      refused.put({ refusal, address });
    },
  });
  const raw = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => raw.add(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    server,
    counts,
    admitted: admitted.take,
    refused: refused.take,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of [...sockets, ...raw]) socket.destroy();
      await closed;
    },
  };
}

/** A client that trusts the authority and presents what it is given, or nothing. */
export function connectAs(
  port: number,
  authority: TestAuthority,
  svid?: TestSvid,
  options: ConnectionOptions = {},
): TLSSocket {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    ca: authority.rootPem,
    ...(svid ? { cert: svid.chainPem, key: svid.keyPem } : {}),
    checkServerIdentity: () => undefined,
    ...options,
  });
  return socket.on('error', () => socket.destroy());
}

/** Values that come one by one, for whoever asks for the next. */
export function queue<T>(): { put(value: T): void; take(): Promise<T> } {
  const values: T[] = [];
  const waiting: ((value: T) => void)[] = [];
  return {
    put(value) {
      const next = waiting.shift();
      if (next) next(value);
      else values.push(value);
    },
    take: () =>
      values.length > 0 ? Promise.resolve(values.shift()!) : new Promise((resolve) => waiting.push(resolve)),
  };
}
