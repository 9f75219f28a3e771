/**
 * The gate towards one app: plaintext on loopback inside, and outside mutual TLS, through the tunnels of all apps or
 * on a port of its own for peers that know no tunnels. Whoever gets through has proved an SVID of a trusted trust
 * domain and, where `allow` names callers, is one of them; without `allow` anyone who has proved one may call.
 */
import type { Socket } from 'node:net';
import { Refusal } from '../../shared/errors/refusal.ts';
import { parseListenAddress } from '../../shared/process/listen-address.ts';
import { acceptLending } from '../channel/lending-channels.ts';
import { SocketChannel } from '../channel/socket-channel.ts';
import { type AllowedCallers, mayCall, parseAllowed } from '../policy/allowed-callers.ts';
import { AppUpstream } from '../relay/app-upstream.ts';
import { onlyUpstream } from '../relay/destination.ts';
import type { Relay, RelayProtocol } from '../relay/relay.ts';
import { ownService } from '../telemetry/istio-labels.ts';
import { createMtlsServer } from '../tls/mtls-server.ts';
import { createListener, type WiredRelay, wireRelay } from './create-listener.ts';
import type { Listener } from './listener.ts';
import type { ListenerParts } from './listener-parts.ts';
import { PeerRefusals } from './peer-refusals.ts';
import { PlaintextGate } from './plaintext-gate.ts';
import type { TunnelledApp } from './tunnel-gate.ts';

export interface InboundSettings {
  readonly name: string;
  /** `host:port`; without it only tunnels lead to the app. */
  readonly listen?: string | undefined;
  readonly protocol: RelayProtocol;
  /** `host:port` of the app. */
  readonly app: string;
  /** SPIFFE IDs, or such that end in `/*`; without it whoever has proved an SVID may call. */
  readonly allow?: readonly string[] | undefined;
  /** Whether `listen` takes connections without TLS too. */
  readonly unsafePlaintext: boolean;
}

export interface InboundApp extends TunnelledApp {
  /** The port for peers without tunnels. */
  readonly listener: Listener | undefined;
}

/** Not open yet. @throws {Refusal} address_unusable */
export function createInboundApp(settings: InboundSettings, parts: ListenerParts): InboundApp {
  const { name, listen, protocol, app, allow } = settings;
  const { clock, randomness, limits, workload } = parts;
  const address = parseListenAddress(app);
  if (!address) throw new Refusal('address_unusable', `inbound listener ${name}: app \`${app}\` is not host:port`);
  const upstream = new AppUpstream({ ...address, clock, connectSeconds: limits.connectSeconds });
  const destination = onlyUpstream(upstream, clock, randomness);
  const plan = { direction: 'inbound', name, protocol, destination, service: ownService(workload) } as const;
  const wired = wireRelay(plan, parts);
  const allowed = allow && parseAllowed(allow);
  const listener = listen === undefined ? undefined : createPort({ ...settings, listen, allowed }, wired, parts);
  return { name, port: address.port, allowed, upstream, relay: wired.relay, listener };
}

interface PortSettings extends InboundSettings {
  readonly listen: string;
  readonly allowed: AllowedCallers | undefined;
}

function createPort(
  { name, listen, protocol, unsafePlaintext, allowed }: PortSettings,
  { relay, log }: WiredRelay,
  parts: ListenerParts,
): Listener {
  const { store, registry, clock, limits, handshakeEnded } = parts;
  const direction = 'inbound';
  const facts = { direction, listener: name, protocol, role: 'accepted' } as const;
  const refusals = new PeerRefusals(parts, log);
  const mtls = createMtlsServer({
    store,
    clock,
    handshakeSeconds: limits.handshakeSeconds,
    onPeer(socket, peer, own) {
      if (!mayCall(allowed, peer.spiffeId)) {
        return refusals.turnAway(socket, peer, new Refusal('caller_not_allowed', 'not in `allow`'));
      }
      handshakeEnded(direction, 'ok');
      const connection = registry.register({ ...facts, leg: 'mtls', socket, peer, own });
      relay.accept({ channel: acceptLending(socket), peer, own, connection });
    },
    onRefused: (refusal, remoteAddress) => refusals.tell(refusal, remoteAddress),
  });
  if (!unsafePlaintext) return createListener({ direction, name, listen, server: mtls, relay, log }, parts);
  const onPlain = (socket: Socket): void => {
    const connection = registry.register({ ...facts, leg: 'plain', socket });
    relay.accept({ channel: new SocketChannel(socket), connection });
  };
  const gate = new PlaintextGate({ mtls, clock, detectMs: limits.detectMs, onPlain });
  const { server } = gate;
  return createListener({ direction, name, listen, server, relay: bothOf(gate, relay), log }, parts);
}

/** Who has not been heard ends with those who are carried. */
function bothOf(gate: PlaintextGate, relay: Relay): Pick<Relay, 'drain' | 'close'> {
  return {
    drain() {
      gate.drain();
      relay.drain();
    },
    close() {
      gate.drain();
      relay.close();
    },
  };
}
