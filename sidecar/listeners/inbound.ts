/**
 * The gate towards the app: mutual TLS on the outside, plaintext on loopback inside. Whoever gets through has
 * proved an SVID of a trusted trust domain; whether it may call is policy, which is not decided here.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import { parseListenAddress } from '../../shared/process/listen-address.ts';
import { SocketChannel } from '../channel/socket-channel.ts';
import { AppUpstream } from '../relay/app-upstream.ts';
import type { RelayProtocol } from '../relay/relay.ts';
import { ownService } from '../telemetry/istio-labels.ts';
import { createMtlsServer } from '../tls/mtls-server.ts';
import { createListener } from './create-listener.ts';
import type { Listener } from './listener.ts';
import type { ListenerParts } from './listener-parts.ts';

export interface InboundSettings {
  readonly name: string;
  /** `host:port` */
  readonly listen: string;
  readonly protocol: RelayProtocol;
  /** `host:port` of the app. */
  readonly app: string;
}

/** Not open yet. @throws {Refusal} address_unusable */
export function createInboundListener(settings: InboundSettings, parts: ListenerParts): Listener {
  const direction = 'inbound';
  const { name, protocol, app } = settings;
  const { store, registry, clock, limits, workload, refused, handshakeEnded } = parts;
  const address = parseListenAddress(app);
  if (!address) throw new Refusal('address_unusable', `inbound listener ${name}: app \`${app}\` is not host:port`);
  const upstream = new AppUpstream({ ...address, clock, connectSeconds: limits.connectSeconds });
  const facts = { direction, listener: name, protocol, leg: 'mtls', role: 'accepted' } as const;
  return createListener(
    {
      ...settings,
      direction,
      upstream,
      service: ownService(workload),
      serve: (relay, log) =>
        createMtlsServer({
          store,
          clock,
          handshakeSeconds: limits.handshakeSeconds,
          onPeer(socket, peer, own) {
            handshakeEnded(direction, 'ok');
            const connection = registry.register({ ...facts, socket, peer, own });
            relay.accept({ channel: new SocketChannel(socket), peer, own, connection });
          },
          onRefused(refusal, remoteAddress) {
            handshakeEnded(direction, refusal.code);
            refused(refusal);
            log.warn('peer_refused', { code: refusal.code, reason: refusal.detail, remoteAddress });
          },
        }),
    },
    parts,
  );
}
