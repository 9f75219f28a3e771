/**
 * A way out: a plaintext port on loopback that leads to one named destination, over mutual TLS to whoever proves
 * one of the expected SPIFFE IDs there. It never sends anything before that proof, and never in plaintext.
 */
import net from 'node:net';
import { Refusal } from '../../shared/errors/refusal.ts';
import { parseListenAddress } from '../../shared/process/listen-address.ts';
import { SocketChannel } from '../channel/socket-channel.ts';
import { type PeerDialer, PeerUpstream } from '../relay/peer-upstream.ts';
import type { RelayProtocol } from '../relay/relay.ts';
import { serviceOf } from '../telemetry/istio-labels.ts';
import { createListener } from './create-listener.ts';
import type { Listener } from './listener.ts';
import type { ListenerParts } from './listener-parts.ts';

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
  settings: OutboundSettings,
  parts: ListenerParts & { readonly dialer: PeerDialer },
): Listener {
  const direction = 'outbound';
  const { name, protocol, to: address, peers } = settings;
  const { registry, dialer, handshakeEnded } = parts;
  const to = parseListenAddress(address);
  if (!to) throw new Refusal('address_unusable', `outbound listener ${name}: to \`${address}\` is not host:port`);
  const upstream = new PeerUpstream({
    to,
    peers,
    dialer,
    registrar: registry,
    listener: name,
    protocol,
    handshakeEnded: (result) => handshakeEnded(direction, result),
  });
  const facts = { direction, listener: name, protocol, leg: 'app', role: 'accepted' } as const;
  return createListener(
    {
      ...settings,
      direction,
      upstream,
      service: serviceOf(to.host, name),
      serve: (relay) =>
        net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
          relay.accept({ channel: new SocketChannel(socket), connection: registry.register({ ...facts, socket }) }),
        ),
    },
    parts,
  );
}
