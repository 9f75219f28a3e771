/** What settings must be together, each rule with the key to change. Pure; single values are checked in config.ts. */
import type { CitadelSettings } from './config.ts';

/** The part of zod's refinement context that a rule uses. */
interface Problems {
  addIssue(issue: { code: 'custom'; path: PropertyKey[]; message: string }): void;
}

interface Rule {
  readonly path: readonly string[];
  readonly holds: (settings: CitadelSettings) => boolean;
  readonly message: string;
}

const RULES: readonly Rule[] = [
  {
    path: ['certificates', 'minSeconds'],
    holds: ({ certificates }) => certificates.minSeconds <= certificates.maxSeconds,
    message: 'must not be above certificates.maxSeconds',
  },
  {
    path: ['certificates', 'defaultSeconds'],
    holds: ({ certificates: { minSeconds, defaultSeconds, maxSeconds } }) =>
      minSeconds > maxSeconds || (defaultSeconds >= minSeconds && defaultSeconds <= maxSeconds),
    message: 'must lie between certificates.minSeconds and certificates.maxSeconds',
  },
  {
    path: ['attestation', 'oidc', 'issuer'],
    holds: ({ attestation }) => attestation.mode === 'token-review' || attestation.oidc.issuer !== undefined,
    message: 'is required with attestation.mode oidc or both',
  },
  // Keys that came over plain HTTP prove nothing: whoever is on the way can mint every identity.
  {
    path: ['attestation', 'oidc', 'jwksUrl'],
    holds: ({ attestation: { oidc } }) => isHttps(oidc.jwksUrl) || oidc.unsafeDevIssuer,
    message: 'is plain HTTP; only attestation.oidc.unsafeDevIssuer: true allows that',
  },
  {
    path: ['attestation', 'oidc', 'issuer'],
    holds: ({ attestation: { oidc } }) => isHttps(oidc.issuer) || oidc.unsafeDevIssuer,
    message: 'is plain HTTP; only attestation.oidc.unsafeDevIssuer: true allows that',
  },
  {
    path: ['attestation', 'oidc', 'unsafeDevIssuer'],
    holds: ({ attestation }) => !attestation.oidc.unsafeDevIssuer || attestation.mode === 'oidc',
    message: 'makes sense with attestation.mode oidc only: a dev issuer has no API server to ask',
  },
  {
    path: ['limits', 'headerSeconds'],
    holds: ({ limits }) => limits.headerSeconds <= limits.requestSeconds,
    message: 'must not be above limits.requestSeconds',
  },
];

/** Reports every broken rule at once, for zod's `superRefine`. */
export function checkSettings(settings: CitadelSettings, problems: Problems): void {
  for (const { path, holds, message } of RULES) {
    if (!holds(settings)) problems.addIssue({ code: 'custom', path: [...path], message });
  }
}

function isHttps(url: string | undefined): boolean {
  return url === undefined || new URL(url).protocol === 'https:';
}
