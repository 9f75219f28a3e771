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
}

export interface HopPorts {
  readonly entry: number;
  readonly middle: number;
  readonly app: number;
}

export function nginxApp(directory: string, port: number): string {
  return nginx(
    directory,
    'app',
    `
  server { listen 127.0.0.1:${port} reuseport; keepalive_requests 100000000;
    location / { default_type text/plain; return 200 "${'x'.repeat(1024)}"; } }`,
  );
}

export function nginxEntry({ directory, chain, key }: HopFiles, { entry, middle }: HopPorts): string {
  return nginx(
    directory,
    'entry',
    `
  upstream next { server 127.0.0.1:${middle}; keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${entry}; keepalive_requests 100000000;
    location / { proxy_pass https://next; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_ssl_certificate ${chain}; proxy_ssl_certificate_key ${key}; proxy_ssl_protocols TLSv1.3; proxy_ssl_verify off; } }`,
  );
}

export function nginxExit({ directory, chain, key, roots }: HopFiles, { middle, app }: HopPorts): string {
  return nginx(
    directory,
    'exit',
    `
  upstream app { server 127.0.0.1:${app}; keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${middle} ssl; keepalive_requests 100000000; ssl_protocols TLSv1.3; ssl_session_tickets off;
    ssl_certificate ${chain}; ssl_certificate_key ${key}; ssl_client_certificate ${roots}; ssl_verify_client on; ssl_verify_depth 3;
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-Client-Cert "Subject=$ssl_client_s_dn"; } }`,
  );
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

function nginx(directory: string, name: string, servers: string): string {
  return `daemon off; worker_processes 1; pid ${directory}/${name}.pid; error_log ${directory}/${name}.log;
events { worker_connections 2048; }
http { access_log off; client_body_temp_path ${directory}/${name}-body; proxy_temp_path ${directory}/${name}-proxy;
  fastcgi_temp_path ${directory}/${name}-f; uwsgi_temp_path ${directory}/${name}-u; scgi_temp_path ${directory}/${name}-s;${servers}
}\n`;
}

function haproxy(sections: string): string {
  return `global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n${sections}\n`;
}
