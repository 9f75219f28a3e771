/** Why citadel refuses a service account token. Part of the one table in refusal.ts. */
import type { RefusalEntry } from './refusal.ts';

export const TOKEN_REFUSALS = {
  token_missing: {
    status: 401,
    message: 'No bearer token was sent.',
    help: 'Send `Authorization: Bearer <service account token>`; in a pod, mount a projected token with audience `citadel`.',
  },
  token_too_large: {
    status: 401,
    message: 'The token is larger than 8 KiB.',
    help: 'A service account token has about 1 KiB. Check that the token file holds one token and nothing else.',
  },
  token_malformed: {
    status: 401,
    message: 'The token is not a JWT in compact form.',
    help: 'Check that the token file is the projected service account token, unchanged.',
  },
  token_algorithm_forbidden: {
    status: 401,
    message: 'The token is signed with an algorithm that is not accepted.',
    help: 'Accepted are RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and ES512. `none` and HMAC are never accepted.',
  },
  token_key_unknown: {
    status: 401,
    message: 'The token is signed by a key that its issuer does not publish.',
    help: 'Compare the `kid` of the token with the JWKS of the issuer. citadel fetches the JWKS again for an unknown `kid`: a few times in a row, then once in ten seconds. With `Retry-After` nobody has looked for this one yet.',
  },
  token_signature_invalid: {
    status: 401,
    message: 'The signature of the token is not valid.',
    help: 'The token was changed, or comes from another cluster that uses the same key id.',
  },
  token_issuer_wrong: {
    status: 401,
    message: 'The token comes from an issuer that is not trusted here.',
    help: 'Compare the `iss` claim with `attestation.oidc.issuer` of citadel.',
  },
  token_audience_wrong: {
    status: 401,
    message: 'The token is not meant for this citadel.',
    help: 'Project the token with `audience: citadel` (or what `attestation.audience` says).',
  },
  token_audience_several: {
    status: 401,
    message: 'The token names several audiences.',
    help: 'A token with several audiences can be replayed by each of them. Project one with exactly one audience.',
  },
  token_expired: {
    status: 401,
    message: 'The service account token has expired.',
    help: 'kubelet renews projected tokens at 80 % of their life. If it stays expired, look at the clock of the node and at kubelet.',
  },
  token_not_yet_valid: {
    status: 401,
    message: 'The service account token is not valid yet.',
    help: 'The clocks of the API server and citadel differ by more than the leeway. Compare both with `clock_skew`.',
  },
  token_lifetime_too_long: {
    status: 401,
    message: 'The lifetime of the token is longer than policy allows.',
    help: 'Project the token with `expirationSeconds` of at most `attestation.maxTokenLifetimeSeconds`.',
  },
  token_claims_invalid: {
    status: 401,
    message: 'The token lacks a claim that a service account token has.',
    help: 'Expected are iss, sub, aud, iat, exp and the `kubernetes.io` claims of a projected service account token.',
  },
  token_legacy: {
    status: 401,
    message: 'Legacy secret-based service account tokens are not accepted.',
    help: 'They never expire and belong to no pod. Use a projected token.',
  },
  token_without_pod: {
    status: 401,
    message: 'The token is not bound to a pod.',
    help: 'Tokens made with `kubectl create token` without a bound object belong to no pod. Use the projected token of the pod.',
  },
  token_pod_gone: {
    status: 401,
    message: 'The pod that the token was made for no longer exists.',
    help: 'The API server no longer accepts the token: its pod, node or service account was deleted, or has another UID now.',
  },
  token_pod_mismatch: {
    status: 401,
    message: 'The pod that the token names is not the pod that the API server knows.',
    help: 'The claims of the token and the answer of TokenReview disagree. Treat it as an attack until explained.',
  },
  token_rejected: {
    status: 401,
    message: 'The Kubernetes API server does not accept the token.',
    help: 'TokenReview answered `authenticated: false`. The log of citadel carries the words of the API server.',
  },
  token_replayed: {
    status: 403,
    message: 'The token was seen before with another key from another address.',
    help: 'Someone else holds the token of this pod. Delete the pod to invalidate it. Refused only with `attestation.replay: refuse`.',
  },
  pod_identity_conflict: {
    status: 403,
    message: 'The pod was seen before under another identity.',
    help: 'One pod UID has one service account for life. Treat it as an attack until explained.',
  },
  token_review_unavailable: {
    status: 503,
    message: 'The Kubernetes API server could not be asked about the token.',
    help: 'Look at the reachability of the API server from citadel and at its RBAC (create tokenreviews). The sidecar tries again by itself.',
  },
  token_keys_unavailable: {
    status: 503,
    message: 'The keys of the token issuer could not be fetched.',
    help: 'Look at `attestation.oidc.jwksUrl` from the pod of citadel. The sidecar tries again by itself.',
  },
} as const satisfies Record<string, RefusalEntry>;
