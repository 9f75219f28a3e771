/**
 * nginx and haproxy as the two proxies of a hop: plaintext in, mutual TLS 1.3 between them, plaintext out, all
 * keep-alive, one worker each. Pure text. nginx cannot check a SPIFFE ID (it wants a DNS name), so its client side
 * checks nothing; the comparison is in its favour.
 */
export interface HopFiles {
  readonly directory: string;
  /** Leaf and intermediate, PEM. */
  readonly chain: string;
  readonly key: string;
  /** Chain and key in one file, as haproxy wants it. */
  readonly both: string;
  readonly roots: string;
  /** Whose certificate that is. */
  readonly spiffeId: string;
}

export interface HopPorts {
  readonly entry: number;
  readonly middle: number;
  readonly app: number;
}

const ANSWER_BUFFERS =
  'proxy_buffer_size 16k; proxy_buffers 64 16k; proxy_busy_buffers_size 512k; proxy_max_temp_file_size 0;';
const KEPT = 'keepalive_requests 1000000000; keepalive_timeout 1h;';

export function nginxHttpEntry(files: HopFiles, { entry, middle }: HopPorts): string {
  return `
  upstream next { server 127.0.0.1:${middle}; keepalive 300; ${KEPT} }
  server { listen 127.0.0.1:${entry}; ${KEPT} ${ANSWER_BUFFERS}
    location / { proxy_pass https://next; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      ${nginxClient(files)} } }`;
}

export function nginxHttpExit(files: HopFiles, { middle, app }: HopPorts): string {
  return `
  upstream app { server 127.0.0.1:${app}; keepalive 300; ${KEPT} }
  server { listen 127.0.0.1:${middle} ssl; ${KEPT} ${ANSWER_BUFFERS} ${nginxServer(files)}
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-Client-Cert "Subject=$ssl_client_s_dn"; } }`;
}

export function nginxStreamEntry(files: HopFiles, { entry, middle }: HopPorts): string {
  return `server { listen 127.0.0.1:${entry}; proxy_pass 127.0.0.1:${middle}; proxy_ssl on; ${nginxClient(files)} }`;
}

export function nginxStreamExit(files: HopFiles, { middle, app }: HopPorts): string {
  return `server { listen 127.0.0.1:${middle} ssl; proxy_pass 127.0.0.1:${app}; ${nginxServer(files)} }`;
}

export function haproxyEntry({ both, roots }: HopFiles, { entry, middle }: HopPorts): string {
  return haproxy(`frontend entry\n  bind 127.0.0.1:${entry}\n  default_backend next
backend next\n  http-reuse always\n  server next 127.0.0.1:${middle} ssl crt ${both} ca-file ${roots} verify required ssl-min-ver TLSv1.3`);
}

export function haproxyExit({ both, roots }: HopFiles, { middle, app }: HopPorts): string {
  return haproxy(`frontend exit\n  bind 127.0.0.1:${middle} ssl crt ${both} ca-file ${roots} verify required ssl-min-ver TLSv1.3 no-tls-tickets
  http-request set-header X-Forwarded-Client-Cert Hash=%[ssl_c_sha1,hex]\n  default_backend app
backend app\n  http-reuse always\n  server app 127.0.0.1:${app}`);
}

function nginxClient({ chain, key }: HopFiles): string {
  return `proxy_ssl_certificate ${chain}; proxy_ssl_certificate_key ${key}; proxy_ssl_protocols TLSv1.3; proxy_ssl_verify off;`;
}

function nginxServer({ chain, key, roots }: HopFiles): string {
  return `ssl_certificate ${chain}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
    ssl_client_certificate ${roots}; ssl_verify_client on; ssl_verify_depth 3;`;
}

function haproxy(sections: string): string {
  return `global\n  nbthread 1\n  maxconn 9000\n  tune.ssl.cachesize 0\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n${sections}\n`;
}
