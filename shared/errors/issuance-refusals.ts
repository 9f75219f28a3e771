/** Why citadel cannot or will not answer, whatever the token and CSR say. Part of the one table in refusal.ts. */
import type { RefusalEntry } from './refusal.ts';

export const ISSUANCE_REFUSALS = {
  request_malformed: {
    status: 400,
    message: 'The request body is not the JSON that this call takes.',
    help: 'See the API table in the README for the fields of each call. Unknown fields are refused.',
  },
  request_too_large: {
    status: 413,
    message: 'The request is larger than the limit.',
    help: 'The limits are in `citadel serve --print-config` under `limits`.',
  },
  request_media_type: {
    status: 415,
    message: 'The request body is not sent as JSON.',
    help: 'Send `Content-Type: application/json` in UTF-8, without content encoding.',
  },
  request_length_required: {
    status: 411,
    message: 'The request does not tell the length of its body.',
    help: 'Send Content-Length; a chunked body is not accepted.',
  },
  request_headers_too_large: {
    status: 431,
    message: 'The header of the request is larger than the limit.',
    help: 'See `limits.headerBytes` and `limits.headerCount` in `citadel serve --print-config`. A token has about 1 KiB.',
  },
  request_timeout: {
    status: 408,
    message: 'The request did not arrive in time.',
    help: 'The limits are in `citadel serve --print-config` under `limits`.',
  },
  caller_gone: {
    status: 400,
    message: 'The caller closed the connection before it was answered.',
    help: 'Seen in log and metric only. Many of them mean that callers give up sooner than citadel answers.',
  },
  route_unknown: {
    status: 404,
    message: 'There is nothing at this path.',
    help: 'The calls of the API are listed in the README.',
  },
  method_not_allowed: {
    status: 405,
    message: 'This path does not take this method.',
    help: 'The answer lists the methods in its Allow header.',
  },
  overloaded: {
    status: 503,
    message: 'citadel is at its limit of requests in flight.',
    help: 'Come back after Retry-After seconds. Raise `limits.concurrentRequests` or run more replicas if it lasts.',
  },
  rate_limited: {
    status: 429,
    message: 'This caller asks too often.',
    help: 'Come back after Retry-After seconds. See `limits.requestsPerSecondPerPod`.',
  },
  lifetime_out_of_policy: {
    status: 400,
    message: 'The requested lifetime is outside of what policy allows.',
    help: 'See `certificates.minSeconds` and `certificates.maxSeconds`. Leave ttlSeconds out for the default.',
  },
  identity_not_derivable: {
    status: 403,
    message: 'No SPIFFE ID can be made from the namespace and service account of the token.',
    help: 'SPIFFE ID path segments take letters, digits, dot, dash and underscore only (SPIFFE-ID §2.2).',
  },
  authority_expired: {
    status: 503,
    message: 'The signing certificate of citadel has expired or expires too soon.',
    help: 'citadel renews its intermediate by itself. With a plugged-in authority put newer files in place.',
  },
  certificate_self_check_failed: {
    status: 500,
    message: 'citadel made a certificate that its own verifier refuses; it was not handed out.',
    help: 'This is a defect of citadel or of the plugged-in authority. The log names the rule.',
  },
  journal_unavailable: {
    status: 503,
    message: 'The issuance journal cannot be written; nothing is issued unrecorded.',
    help: 'Look at the disk under `journal.file`: full, read-only or failing. citadel recovers by itself once it can write.',
  },
  shutting_down: {
    status: 503,
    message: 'citadel is shutting down.',
    help: 'Come back after Retry-After seconds.',
  },
  watch_limit: {
    status: 503,
    message: 'citadel is at its limit of watching sidecars.',
    help: 'Raise `limits.watchers` or run more replicas.',
  },
  acknowledgement_unknown: {
    status: 409,
    message: 'The acknowledged version was never sent.',
    help: 'Acknowledge only versions received on the watch stream.',
  },
  citadel_internal: {
    status: 500,
    message: 'citadel failed to answer; the fault is on its side.',
    help: 'The log of citadel has the cause under the same request id.',
  },
} as const satisfies Record<string, RefusalEntry>;
