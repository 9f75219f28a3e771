/** The destination of an outbound listener: its addresses, and the way to each of them. Wiring of what stands below. */
import { lookup } from 'node:dns/promises';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { type ListenAddress, parseListenAddress } from '../../shared/process/listen-address.ts';
import type { Address } from '../balance/endpoint.ts';
import { Resolver, type ResolverOptions } from '../balance/resolver.ts';
import { AppUpstream } from '../relay/app-upstream.ts';
import { BalancedDestination } from '../relay/destination.ts';
import { type PeerDialer, PeerUpstream } from '../relay/peer-upstream.ts';
import type { RelayProtocol } from '../relay/relay.ts';
import type { SessionPools } from '../relay/session-pools.ts';
import { TunnelUpstream } from '../relay/tunnel-upstream.ts';
import type { Upstream } from '../relay/upstream.ts';
import { listenerLog } from './create-listener.ts';
import type { ListenerParts } from './listener-parts.ts';

export interface DestinationSettings {
  readonly name: string;
  readonly protocol: RelayProtocol;
  /** `host:port`, one or several. */
  readonly to: string | readonly string[];
  readonly transport: 'tunnel' | 'mtls' | 'unsafePlaintext';
  readonly tunnelPort: number;
  /** The SPIFFE IDs that may answer there. */
  readonly peers: readonly string[];
}

export interface BalanceSettings {
  readonly resolveSeconds: number;
  readonly mostActive: number;
  readonly failures: number;
  readonly ejectionSeconds: number;
  readonly longestEjectionSeconds: number;
  readonly mostEjectedPercent: number;
}

/** How this sidecar reaches others. */
export interface WaysOut {
  /** For connections of their own. */
  readonly dialer: PeerDialer;
  readonly tunnels: SessionPools;
  readonly balance: BalanceSettings;
  /** All addresses of a name; default: the system's resolver. */
  readonly lookup?: ResolverOptions['lookup'];
}

/** @throws {Refusal} address_unusable */
export function createDestination(
  settings: DestinationSettings,
  parts: ListenerParts,
  ways: WaysOut,
): { destination: BalancedDestination; host: string } {
  const { name, to, transport, tunnelPort, peers } = settings;
  const texts = typeof to === 'string' ? [to] : to;
  const targets = texts.map((text) => addressOf(text, name));
  const { clock, randomness, endpointEjected } = parts;
  const { balance, tunnels } = ways;
  const log = listenerLog('outbound', name, parts);
  const destination = new BalancedDestination({
    address: texts.join(', '),
    clock,
    randomness,
    outlier: {
      failures: balance.failures,
      ejectionMs: balance.ejectionSeconds * 1000,
      longestMs: balance.longestEjectionSeconds * 1000,
      mostShare: balance.mostEjectedPercent / 100,
    },
    mostActive: balance.mostActive,
    upstreamTo: (address) => upstreamTo(address, settings, parts, ways),
    left: ({ host }) => {
      if (transport === 'tunnel') tunnels.release({ host, port: tunnelPort }, peers);
    },
    ejected: ({ host, port }) => {
      endpointEjected(name);
      log.warn('endpoint_ejected', { address: `${host}:${port}` });
    },
    resolver: (onAddresses) => resolver(targets, parts, ways, { log, onAddresses }),
  });
  return { destination, host: targets[0]!.host };
}

function resolver(
  targets: readonly Address[],
  { clock }: ListenerParts,
  { balance: { resolveSeconds: everySeconds }, lookup = systemLookup }: WaysOut,
  { log, onAddresses }: { log: Log; onAddresses: (addresses: readonly Address[]) => void },
): Resolver {
  const onFailure = (host: string, reason: string): void => log.warn('name_unresolved', { host, reason });
  return new Resolver(targets, { clock, everySeconds, lookup, onAddresses, onFailure });
}

async function systemLookup(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function upstreamTo(
  { host, port, name = host }: Address,
  { name: listener, protocol, transport, tunnelPort, peers }: DestinationSettings,
  { clock, limits, registry, handshakeEnded }: ListenerParts,
  { dialer, tunnels }: WaysOut,
): Upstream {
  switch (transport) {
    case 'tunnel': {
      // By its name: an address that something on the way translates is not the one that the other sidecar has.
      const authority = `${name.includes(':') ? `[${name}]` : name}:${port}`;
      return new TunnelUpstream({ pool: tunnels.acquire({ host, port: tunnelPort }, peers), authority, headers: [] });
    }
    case 'mtls': {
      const ended = (result: string): void => handshakeEnded('outbound', result);
      return new PeerUpstream({
        to: { host, port },
        peers,
        dialer,
        registrar: registry,
        listener,
        protocol,
        handshakeEnded: ended,
      });
    }
    case 'unsafePlaintext':
      return new AppUpstream({ host, port, clock, connectSeconds: limits.connectSeconds, kind: 'peer' });
  }
}

function addressOf(text: string, listener: string): ListenAddress {
  const address = parseListenAddress(text);
  if (!address) throw new Refusal('address_unusable', `outbound listener ${listener}: to \`${text}\` is not host:port`);
  return address;
}
