/**
 * A way out: a plaintext port on loopback that leads to one named destination, over mutual TLS to whoever proves
 * one of the expected SPIFFE IDs there, in tunnels or in a connection of its own. It sends nothing before that
 * proof, and nothing in plaintext unless the settings say `unsafePlaintext`.
 */
import net from 'node:net';
import { acceptLending } from '../channel/lending-channels.ts';
import { serviceOf } from '../telemetry/istio-labels.ts';
import { createListener, wireRelay } from './create-listener.ts';
import { createDestination, type DestinationSettings, type WaysOut } from './destinations.ts';
import type { Listener } from './listener.ts';
import type { ListenerParts } from './listener-parts.ts';

export interface OutboundSettings extends DestinationSettings {
  /** `host:port` on loopback. */
  readonly listen: string;
}

/** Not open yet. @throws {Refusal} address_unusable */
export function createOutboundListener(settings: OutboundSettings, parts: ListenerParts, ways: WaysOut): Listener {
  const direction = 'outbound';
  const { name, listen, protocol } = settings;
  const { destination, host } = createDestination(settings, parts, ways);
  const plan = { direction, name, protocol, destination, service: serviceOf(host, name) } as const;
  const { relay, log } = wireRelay(plan, parts);
  const facts = { direction, listener: name, protocol, leg: 'app', role: 'accepted' } as const;
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    relay.accept({ channel: acceptLending(socket), connection: parts.registry.register({ ...facts, socket }) }),
  );
  server.on('close', () => destination.stop());
  return createListener({ direction, name, listen, server, relay, log, prepare: () => destination.start() }, parts);
}
