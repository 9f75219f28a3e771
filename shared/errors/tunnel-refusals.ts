/** Why a tunnel between two sidecars does not open or ends. Part of the one table in refusal.ts. */
import type { RefusalEntry } from './refusal.ts';

export const TUNNEL_REFUSALS = {
  tunnel_refused: {
    status: 503,
    message: 'The sidecar at the other end refused the connection.',
    help: 'The log has the status it answered: 404 when no app there has that port, 503 when its app does not accept connections, 400 for a wrong address.',
  },
  tunnel_forbidden: {
    status: 403,
    message: 'The sidecar at the other end does not let this workload call its app.',
    help: 'The identity of this sidecar is not in `allow` of the inbound listener over there, whose log has `caller_not_allowed`; a ztunnel says the same by its policies, with 401. Trying again changes nothing.',
  },
  tunnel_unsupported: {
    status: 502,
    message: 'The other side speaks no tunnels.',
    help: 'It did not agree on HTTP/2 in the handshake. If it is no sidecar, set `transport: mtls` on the outbound listener.',
  },
  tunnel_target_invalid: {
    status: 400,
    message: 'The tunnel was asked for an address that is not this sidecar.',
    help: 'Peers must name the app by `host:port`; an IP address must be the one they connected to. See `to` of their outbound listener.',
  },
  tunnel_target_unknown: {
    status: 404,
    message: 'No app of this sidecar has the port that the tunnel was asked for.',
    help: 'The port in `to` of the outbound listener must be the port of an inbound `app` here.',
  },
  tunnel_unprocessed: {
    status: 503,
    message: 'The sidecar at the other end did not look at the connection.',
    help: 'It is shutting down or full. Nothing reached the app: the connection is tried again elsewhere by itself.',
  },
  tunnel_open_timeout: {
    status: 504,
    message: 'The sidecar at the other end did not answer in time.',
    help: 'Its app may be slow to accept, or the tunnel is at its limit of connections.',
  },
  tunnel_broken: {
    status: 502,
    message: 'The tunnel to the other sidecar broke.',
    help: 'Its TLS connection ended with connections inside. The log has the error of the system, if there was one.',
  },
  tunnel_reset: {
    status: 502,
    message: 'The other side cut the connection inside the tunnel.',
    help: 'The log has the HTTP/2 code: CONNECT_ERROR when its app cut, CANCEL when its caller did.',
  },
  tunnel_malformed: {
    status: 502,
    message: 'The peer broke the rules of HTTP/2.',
    help: 'The log names the rule (RFC 9113). It is no sidecar, or a faulty one.',
  },
  tunnel_flooded: {
    status: 429,
    message: 'The peer sent more of one kind of frame than is accepted.',
    help: 'The log names the kind. Limits are far above what a sidecar sends: take it for an attack.',
  },
  tunnel_silent: {
    status: 504,
    message: 'The peer stopped to answer on the tunnel.',
    help: 'It did not begin HTTP/2 in time, or a PING was followed by silence. The host or the network is gone, or it is no sidecar.',
  },
  tunnel_overflow: {
    status: 503,
    message: 'More bytes wait for the other side than may wait.',
    help: 'The other side reads too slowly. See the limits of tunnels.',
  },
} as const satisfies Record<string, RefusalEntry>;
