/** The rows of the table. A new way to carry a hop is one more entry here. */
import {
  haproxyEntry,
  haproxyExit,
  nginxHttpEntry,
  nginxHttpExit,
  nginxStreamEntry,
  nginxStreamExit,
} from './rival-configs.ts';
import { envoyHop, haproxyHop, nginxHop } from './rival-hop.ts';
import { type Configure, type HopSettings, type Settings, type SidecarPorts, sidecarHop } from './sidecar-hop.ts';
import type { Variant } from './variant.ts';

export const NGINX_STREAM = 'nginx-stream';
export const NGINX_HTTP = 'nginx-http';
export const HAPROXY_HTTP = 'haproxy-http';

const same: Configure = (plain) => plain;
/** One mutual TLS connection per connection of the app. The second spelling is of builds that know nothing else. */
const mtls: readonly Configure[] = [
  ({ entry, exit }, ports) => ({
    entry: everyOutbound(entry, { transport: 'mtls' }),
    // Not the default port, which only one of all the sidecars here can have.
    exit: { ...exit, tunnel: { listen: `127.0.0.1:${ports.tunnel}` } },
  }),
  same,
];

/** A tunnel names the port of the app over there; the app is reached through tunnels only. */
const tunnel: Configure = ({ entry, exit }, ports) => ({
  entry: everyOutbound(entry, { transport: 'tunnel', to: `127.0.0.1:${ports.app}`, tunnelPort: ports.tunnel }),
  exit: { ...exit, inbound: everyInbound(exit, ports), tunnel: { listen: `127.0.0.1:${ports.tunnel}` } },
});

const withWorkers =
  (workers: number, configure: Configure): Configure =>
  (plain, ports) => {
    const { entry, exit }: HopSettings = configure(plain, ports);
    return { entry: { ...entry, workers }, exit: { ...exit, workers } };
  };

const inTunnels = { alpn: ['h2'], peersAt: 'tunnel' } as const;

export const VARIANTS: readonly Variant[] = [
  rival(NGINX_STREAM, 'tcp', nginxHop('stream', nginxStreamEntry, nginxStreamExit)),
  rival(NGINX_HTTP, 'http', nginxHop('http', nginxHttpEntry, nginxHttpExit)),
  rival(HAPROXY_HTTP, 'http', haproxyHop(haproxyEntry, haproxyExit)),
  rival('envoy-tcp', 'tcp', envoyHop('tcp')),
  rival('envoy-http1', 'http', envoyHop('http1')),
  rival('envoy-h2', 'http', envoyHop('http2')),
  ours('sallyport-tcp-mtls', 'tcp', sidecarHop({ protocol: 'tcp', configure: mtls })),
  ours('sallyport-http-mtls', 'http', sidecarHop({ protocol: 'http', configure: mtls })),
  ours('sallyport-tcp', 'tcp', sidecarHop({ protocol: 'tcp', configure: [tunnel], ...inTunnels })),
  ours('sallyport-http', 'http', sidecarHop({ protocol: 'http', configure: [tunnel], ...inTunnels })),
  ours(
    'sallyport-http-2-workers',
    'http',
    sidecarHop({ protocol: 'http', configure: [withWorkers(2, tunnel)], ...inTunnels }),
  ),
];

function rival(name: string, relay: Variant['relay'], start: Variant['start']): Variant {
  return { name, relay, ours: false, start };
}

function ours(name: string, relay: Variant['relay'], start: Variant['start']): Variant {
  return { name, relay, ours: true, start };
}

function everyInbound(settings: Settings, { app }: SidecarPorts): Settings[] {
  const inbound = settings['inbound'] as readonly Settings[];
  return inbound.map(({ listen: _listen, ...one }) => ({ ...one, app: `127.0.0.1:${app}` }));
}

function everyOutbound(settings: Settings, more: Settings): Settings {
  const outbound = (settings['outbound'] as readonly Settings[]).map((one) => ({ ...one, ...more }));
  return { ...settings, outbound };
}
