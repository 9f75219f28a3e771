/**
 * The gate towards the app: mutual TLS on the outside, plaintext on loopback inside. Whoever gets through has
 * proved an SVID of a trusted trust domain; whether it may call is policy, which is not decided here.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import { parseListenAddress } from '../../shared/process/listen-address.ts';
import { AppUpstream } from '../relay/app-upstream.ts';
import type { RelayProtocol } from '../relay/relay.ts';
import { ownService } from '../telemetry/istio-labels.ts';
import { createMtlsServer } from '../tls/mtls-server.ts';
import { Listener } from './listener.ts';
import { accessLogOf, type ListenerParts } from './listener-parts.ts';
import { createRelay } from './relays.ts';

export interface InboundSettings {
  readonly name: string;
  /** `host:port` */
  readonly listen: string;
  readonly protocol: RelayProtocol;
  /** `host:port` of the app. */
  readonly app: string;
}

/** Not open yet. @throws {Refusal} address_unusable */
export function createInboundListener(
  { name, listen, protocol, app }: InboundSettings,
  parts: ListenerParts,
): Listener {
  const direction = 'inbound';
  const { store, registry, clock, randomness, limits, workload, traffic, refused, handshakeEnded } = parts;
  const log = parts.log.child({ direction, listener: name });
  const address = parseListenAddress(app);
  if (!address) throw new Refusal('address_unusable', `inbound listener ${name}: app \`${app}\` is not host:port`);
  const relay = createRelay({
    protocol,
    upstream: new AppUpstream({ ...address, clock, connectSeconds: limits.connectSeconds }),
    limits,
    clock,
    randomness,
    log,
    traffic: traffic.at({ reporter: 'destination', workload, service: ownService(workload) }),
    accessLog: accessLogOf(parts.accessLog, log),
    refused,
  });
  const server = createMtlsServer({
    store,
    clock,
    handshakeSeconds: limits.handshakeSeconds,
    onPeer(socket, peer, own) {
      handshakeEnded(direction, 'ok');
      const facts = { direction, listener: name, protocol, leg: 'mtls', role: 'accepted', socket, peer, own } as const;
      relay.accept({ socket, peer, own, connection: registry.register(facts) });
    },
    onRefused(refusal, remoteAddress) {
      handshakeEnded(direction, refusal.code);
      refused(refusal);
      log.warn('peer_refused', { code: refusal.code, reason: refusal.detail, remoteAddress });
    },
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
