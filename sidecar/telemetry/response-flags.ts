/** Our codes as Envoy's response flags, which existing dashboards filter by. Pure. */

/** Envoy's meanings: UF could not connect, UC closed by the destination, SI idle, UO over a limit, DPE not HTTP, UAEX refused by policy. */
const FLAGS: Readonly<Record<string, string>> = {
  upstream_reset: 'UC',
  upstream_malformed: 'UPE',
  app_reset: 'UC',
  app_malformed: 'UPE',
  answer_timeout: 'SI',
  connection_idle: 'SI',
  http_request_timeout: 'SI',
  http_malformed: 'DPE',
  http_headers_too_large: 'DPE',
  http_upgrade_with_body: 'DPE',
  connection_limit: 'UO',
  connection_expired: 'UAEX',
  connection_distrusted: 'UAEX',
  tunnel_forbidden: 'UAEX',
  draining: 'UO',
};

/** @returns `-` when nothing went wrong, as Envoy writes it */
export function responseFlags(refusal: string, callerLeft: boolean): string {
  if (refusal !== '') return FLAGS[refusal] ?? 'UF';
  return callerLeft ? 'DC' : '-';
}
