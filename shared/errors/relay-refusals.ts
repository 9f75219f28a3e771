/** Why the sidecar cannot carry a request or connection, or cannot renew. Part of the one table in refusal.ts. */
import type { RefusalEntry } from './refusal.ts';

export const RELAY_REFUSALS = {
  identity_missing: {
    status: 503,
    message: 'The sidecar has no certificate yet.',
    help: 'See /readyz for what is missing and the log for why citadel was not reached or refused.',
  },
  identity_expired: {
    status: 503,
    message: 'The certificate of the sidecar has expired and could not be renewed.',
    help: 'The sidecar keeps trying. See the log for why citadel was not reached or refused.',
  },
  local_token_missing: {
    status: 503,
    message: 'The service account token file cannot be read.',
    help: 'Mount a projected service account token and point `tokenFile` at it.',
  },
  local_token_expired: {
    status: 503,
    message: 'The token in the token file has expired; it was not sent.',
    help: 'kubelet (or `citadel dev-issuer`) should have replaced it. The sidecar reads the file again on every try.',
  },
  citadel_unreachable: {
    status: 503,
    message: 'citadel could not be reached.',
    help: 'Look at `citadel.url`, at the network policy and at the health of citadel. The sidecar tries again by itself.',
  },
  citadel_untrusted: {
    status: 503,
    message: 'The server at the address of citadel is not citadel.',
    help: 'Its certificate does not chain to `citadel.caFile` or names another host. Nothing was sent to it.',
  },
  citadel_answer_invalid: {
    status: 503,
    message: 'citadel answered something that is not a certificate for this sidecar.',
    help: 'The material was verified like that of a peer and not published; the old certificate stays.',
  },
  upstream_unreachable: {
    status: 503,
    message: 'The destination could not be reached.',
    help: 'Look at `to` of the outbound listener, and at the sidecar at the other end.',
  },
  upstream_timeout: {
    status: 504,
    message: 'The destination did not accept the connection in time.',
    help: 'See `limits.connectSeconds`.',
  },
  upstream_overloaded: {
    status: 503,
    message: 'Too much is in progress at the destination.',
    help: 'See `balance.mostActive`: the destination is slower than what is asked of it, or the limit is too low.',
  },
  upstream_reset: {
    status: 502,
    message: 'The destination closed the connection before it answered.',
    help: 'If it happens at once and always, the other sidecar refused this one: its log has the code.',
  },
  upstream_malformed: {
    status: 502,
    message: 'The destination answered something that is not a valid HTTP answer.',
    help: 'Look at what answers at `to` of the outbound listener. If it is not HTTP, set `protocol: tcp`.',
  },
  protocol_unknown: {
    status: 400,
    message: 'The first bytes do not show which protocol the connection speaks.',
    help: 'With `protocol: auto` a caller must send enough to be understood in time. Declare the protocol of the listener if it speaks one letter at a time.',
  },
  worker_failed: {
    status: 503,
    message: 'A thread of the sidecar has failed.',
    help: 'Its connections are gone and the process ends; the line before says why. Please report it.',
  },
  app_unreachable: {
    status: 503,
    message: 'The app behind this sidecar does not accept connections.',
    help: 'Look at `app` of the inbound listener and whether the app listens there.',
  },
  app_reset: {
    status: 502,
    message: 'The app behind this sidecar closed the connection before it answered.',
    help: 'The app crashed or closed early; its own log tells.',
  },
  app_malformed: {
    status: 502,
    message: 'The app behind this sidecar answered something that is not a valid HTTP answer.',
    help: 'Look at what listens at `app` of the inbound listener. If it is not HTTP, set `protocol: tcp`.',
  },
  answer_timeout: {
    status: 504,
    message: 'Nothing was heard of the answer for too long.',
    help: 'See `limits.idleSeconds`. The app accepted the request and then neither answered nor read on.',
  },
  http_malformed: {
    status: 400,
    message: 'The HTTP request is ambiguous or malformed.',
    help: 'Requests with conflicting lengths, obsolete folding, bare line feeds or bad chunks are refused: two readers could read them differently.',
  },
  http_headers_too_large: {
    status: 431,
    message: 'The header of the HTTP request is too large.',
    help: 'See `limits.headerBytes` and `limits.headerCount`.',
  },
  http_request_timeout: {
    status: 408,
    message: 'The HTTP request did not arrive in time.',
    help: 'See `limits.headerSeconds` and `limits.bodyIdleSeconds`.',
  },
  http_upgrade_with_body: {
    status: 400,
    message: 'A request to upgrade must not carry a body.',
    help: 'A body before an upgrade is read differently by different servers. Send the upgrade without one.',
  },
  connection_limit: {
    status: 503,
    message: 'The sidecar is at its limit of connections.',
    help: 'See `limits.connections`.',
  },
  connection_expired: {
    status: 401,
    message: 'The certificate that opened this connection has expired.',
    help: 'Open a new connection. Sidecars do so by themselves before it happens.',
  },
  connection_distrusted: {
    status: 401,
    message: 'The authority behind a certificate of this connection is no longer trusted.',
    help: 'The newest trust bundle lacks it. Connections that it vouched for are cut at once, on either side; new ones need a certificate under an authority of the bundle.',
  },
  connection_broken: {
    status: 502,
    message: 'The connection broke before it was ended in order.',
    help: 'The other side, or something on the way, closed or reset it. Its own log tells why.',
  },
  connection_idle: {
    status: 408,
    message: 'Nothing moved on the connection for too long.',
    help: 'See `limits.idleSeconds`. Protocols that stay silent for longer need a keep-alive of their own.',
  },
  draining: {
    status: 503,
    message: 'The sidecar is shutting down.',
    help: 'Try again: another replica takes over.',
  },
} as const satisfies Record<string, RefusalEntry>;
