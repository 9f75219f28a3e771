/**
 * A way out: a plaintext port on loopback that leads to one named destination, over mutual TLS to whoever proves
 * one of the expected SPIFFE IDs there. It never sends anything before that proof, and never in plaintext.
 */
import net from 'node:net';
import { Refusal } from '../../shared/errors/refusal.ts';
import { parseListenAddress } from '../../shared/process/listen-address.ts';
import { type PeerDialer, PeerUpstream } from '../relay/peer-upstream.ts';
import type { RelayProtocol } from '../relay/relay.ts';
import { serviceOf } from '../telemetry/istio-labels.ts';
import { Listener } from './listener.ts';
import { accessLogOf, type ListenerParts } from './listener-parts.ts';
import { createRelay } from './relays.ts';

export interface OutboundSettings {
  readonly name: string;
  /** `host:port` on loopback. */
  readonly listen: string;
  readonly protocol: RelayProtocol;
  /** `host:port` of the destination. */
  readonly to: string;
  /** The SPIFFE IDs that may answer there, at least one. */
  readonly peers: readonly string[];
}

/** Not open yet. @throws {Refusal} address_unusable */
export function createOutboundListener(
  { name, listen, protocol, to, peers }: OutboundSettings,
  parts: ListenerParts & { readonly dialer: PeerDialer },
): Listener {
  const direction = 'outbound';
  const { registry, clock, randomness, limits, workload, traffic, refused, handshakeEnded, dialer } = parts;
  const log = parts.log.child({ direction, listener: name });
  const destination = parseListenAddress(to);
  if (!destination) throw new Refusal('address_unusable', `outbound listener ${name}: to \`${to}\` is not host:port`);
  const relay = createRelay({
    protocol,
    upstream: new PeerUpstream({
      to: destination,
      peers,
      dialer,
      registrar: registry,
      listener: name,
      protocol,
      handshakeEnded: (result) => handshakeEnded(direction, result),
    }),
    limits,
    clock,
    randomness,
    log,
    traffic: traffic.at({ reporter: 'source', workload, service: serviceOf(destination.host, name) }),
    accessLog: accessLogOf(parts.accessLog, log),
    refused,
  });
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const facts = { direction, listener: name, protocol, leg: 'app', role: 'accepted', socket } as const;
    relay.accept({ socket, connection: registry.register(facts) });
  });
  return new Listener({
    name,
    direction,
    address: listen,
    server,
    relay,
    mostConnections: limits.connections,
    log,
    refused,
  });
}
