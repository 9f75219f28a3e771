/** What settings must be together, each rule with the key to change. Pure; single values are checked in config.ts. */
import { type CrossRule, ruleCheck } from '../shared/config/cross-checks.ts';
import type { CitadelSettings } from './config.ts';

const RULES: readonly CrossRule<CitadelSettings>[] = [
  {
    reads: ['certificates.minSeconds', 'certificates.maxSeconds'],
    blames: 'certificates.minSeconds',
    holds: ({ certificates }) => certificates.minSeconds <= certificates.maxSeconds,
    message: 'must not be above certificates.maxSeconds',
  },
  {
    reads: ['certificates.minSeconds', 'certificates.defaultSeconds', 'certificates.maxSeconds'],
    blames: 'certificates.defaultSeconds',
    holds: ({ certificates: { minSeconds, defaultSeconds, maxSeconds } }) =>
      minSeconds > maxSeconds || (defaultSeconds >= minSeconds && defaultSeconds <= maxSeconds),
    message: 'must lie between certificates.minSeconds and certificates.maxSeconds',
  },
  {
    reads: ['attestation.mode', 'attestation.oidc.issuer'],
    blames: 'attestation.oidc.issuer',
    holds: ({ attestation }) => attestation.mode === 'token-review' || attestation.oidc.issuer !== undefined,
    message: 'is required with attestation.mode oidc or both',
  },
  // Keys that came over plain HTTP prove nothing: whoever is on the way can mint every identity.
  {
    reads: ['attestation.oidc.jwksUrl', 'attestation.oidc.unsafeDevIssuer'],
    blames: 'attestation.oidc.jwksUrl',
    holds: ({ attestation: { oidc } }) => isHttps(oidc.jwksUrl) || oidc.unsafeDevIssuer,
    message: 'is plain HTTP; only attestation.oidc.unsafeDevIssuer: true allows that',
  },
  {
    reads: ['attestation.oidc.issuer', 'attestation.oidc.unsafeDevIssuer'],
    blames: 'attestation.oidc.issuer',
    holds: ({ attestation: { oidc } }) => isHttps(oidc.issuer) || oidc.unsafeDevIssuer,
    message: 'is plain HTTP; only attestation.oidc.unsafeDevIssuer: true allows that',
  },
  {
    reads: ['attestation.mode', 'attestation.oidc.unsafeDevIssuer'],
    blames: 'attestation.oidc.unsafeDevIssuer',
    holds: ({ attestation }) => !attestation.oidc.unsafeDevIssuer || attestation.mode === 'oidc',
    message: 'makes sense with attestation.mode oidc only: a dev issuer has no API server to ask',
  },
  {
    reads: ['limits.headerSeconds', 'limits.requestSeconds'],
    blames: 'limits.headerSeconds',
    holds: ({ limits }) => limits.headerSeconds <= limits.requestSeconds,
    message: 'must not be above limits.requestSeconds',
  },
];

export const checkSettings = ruleCheck(RULES);

function isHttps(url: string | undefined): boolean {
  return url === undefined || new URL(url).protocol === 'https:';
}
