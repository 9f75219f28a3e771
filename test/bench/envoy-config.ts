/**
 * Envoy as the two proxies of a hop, as its JSON configuration. Pure. Both sides verify the other's certificate, the
 * client its SPIFFE ID too, as ours does. Envoy's upstreams speak TLS 1.2 at most unless told otherwise.
 */
import type { HopFiles, HopPorts } from './rival-configs.ts';

/** What the two Envoys speak with each other, within mutual TLS. */
export type EnvoyHop = 'tcp' | 'http1' | 'http2';

type Json = Readonly<Record<string, unknown>>;

const EXTENSIONS = 'type.googleapis.com/envoy.extensions';

export function envoyEntry(hop: EnvoyHop, files: HopFiles, { entry, middle }: HopPorts): string {
  const tls = {
    '@type': `${EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext`,
    common_tls_context: tlsContext(files, hop, [{ san_type: 'URI', matcher: { exact: files.spiffeId } }]),
  };
  return config({
    listener: { port: entry, filter: hop === 'tcp' ? tcpProxy() : httpManager({}) },
    cluster: { port: middle, http2: hop === 'http2', socket: tlsSocket(tls) },
  });
}

export function envoyExit(hop: EnvoyHop, files: HopFiles, { middle, app }: HopPorts): string {
  const tls = {
    '@type': `${EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    disable_stateless_session_resumption: true,
    common_tls_context: tlsContext(files, hop, []),
  };
  const who = { forward_client_cert_details: 'SANITIZE_SET', set_current_client_cert_details: { uri: true } };
  return config({
    listener: { port: middle, filter: hop === 'tcp' ? tcpProxy() : httpManager(who), socket: tlsSocket(tls) },
    cluster: { port: app, http2: false },
  });
}

function config(at: {
  listener: { port: number; filter: Json; socket?: Json };
  cluster: { port: number; http2: boolean; socket?: Json };
}): string {
  const { listener, cluster } = at;
  const listeners = [
    {
      name: 'in',
      address: address(listener.port),
      filter_chains: [
        { filters: [listener.filter], ...(listener.socket ? { transport_socket: listener.socket } : {}) },
      ],
    },
  ];
  const clusters = [
    {
      name: 'out',
      type: 'STATIC',
      load_assignment: {
        cluster_name: 'out',
        endpoints: [{ lb_endpoints: [{ endpoint: { address: address(cluster.port) } }] }],
      },
      // The defaults of 1024 would refuse the idle connections of the bench.
      circuit_breakers: { thresholds: [{ max_connections: 9000, max_pending_requests: 9000, max_requests: 9000 }] },
      ...(cluster.http2 ? { typed_extension_protocol_options: speaksHttp2() } : {}),
      ...(cluster.socket ? { transport_socket: cluster.socket } : {}),
    },
  ];
  return JSON.stringify({ static_resources: { listeners, clusters } }, null, 1);
}

function address(port: number): Json {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function tlsContext({ chain, key, roots }: HopFiles, hop: EnvoyHop, names: readonly Json[]): Json {
  return {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [{ certificate_chain: { filename: chain }, private_key: { filename: key } }],
    validation_context: {
      trusted_ca: { filename: roots },
      ...(names.length > 0 ? { match_typed_subject_alt_names: names } : {}),
    },
    ...(hop === 'tcp' ? {} : { alpn_protocols: [hop === 'http2' ? 'h2' : 'http/1.1'] }),
  };
}

function tlsSocket(tls: Json): Json {
  return { name: 'envoy.transport_sockets.tls', typed_config: tls };
}

function tcpProxy(): Json {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${EXTENSIONS}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: 'hop',
      cluster: 'out',
    },
  };
}

function httpManager(more: Json): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'hop',
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, route: { cluster: 'out', timeout: '0s' } }],
          },
        ],
      },
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': `${EXTENSIONS}.filters.http.router.v3.Router` },
        },
      ],
      ...more,
    },
  };
}

function speaksHttp2(): Json {
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    [options]: { '@type': `type.googleapis.com/${options}`, explicit_http_config: { http2_protocol_options: {} } },
  };
}
