/**
 * Where the API server is and how to trust it: as configured, or as every pod is told by kubelet. Whoever names
 * the server must name its authority too; there is no way to leave the server unverified.
 */
import { Refusal } from '../../shared/errors/refusal.ts';

export interface ApiServerAddress {
  /** Origin only: scheme, host and port. */
  readonly url: string;
  /** None: Node's own list of authorities. */
  readonly caFile?: string;
  /** None: requests carry no credential. */
  readonly tokenFile?: string;
}

/** What of it the operator has set. */
export interface ConfiguredAddress {
  readonly url?: string | undefined;
  readonly caFile?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** Mounted by kubelet with the default service account token. */
const IN_CLUSTER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** @throws {Refusal} config_invalid when neither configuration nor environment name an API server */
export function apiServerAddress(
  configured: ConfiguredAddress,
  environment: Readonly<Record<string, string | undefined>>,
): ApiServerAddress {
  const { url, caFile, tokenFile } = configured;
  if (url !== undefined) {
    return {
      url: checkedOrigin(url),
      ...(caFile === undefined ? {} : { caFile }),
      ...(tokenFile === undefined ? {} : { tokenFile }),
    };
  }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host || !port) {
    throw new Refusal(
      'config_invalid',
      'attestation.tokenReview.url is not set and this is no pod (KUBERNETES_SERVICE_HOST is not set)',
    );
  }
  return {
    url: checkedOrigin(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    caFile: caFile ?? `${IN_CLUSTER}/ca.crt`,
    tokenFile: tokenFile ?? `${IN_CLUSTER}/token`,
  };
}

function checkedOrigin(url: string): string {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'https:' || parsed.pathname !== '/' || parsed.search !== '' || parsed.username !== '') {
    throw new Refusal('config_invalid', 'the URL of the API server must be https with host and port only');
  }
  return parsed.origin;
}
