/** What every nginx of the bench has in common: foreground, one worker, its files in the folder of the bench. Pure. */

/** Present on Debian when `stream` is a module of its own; elsewhere it is built in. */
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

export interface NginxOptions {
  readonly directory: string;
  /** Of the process, for its files. */
  readonly name: string;
  readonly kind: 'http' | 'stream';
  /** `server { … }` and `upstream { … }` blocks. */
  readonly servers: string;
  /** Whether workers must be told to stay the user that started the bench. */
  readonly asRoot: boolean;
  readonly hasStreamModule: boolean;
}

export function nginxConfig({ directory, name, kind, servers, asRoot, hasStreamModule }: NginxOptions): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((what) => `${what}_temp_path ${directory}/${name}-${what};`)
    .join(' ');
  const inside = kind === 'http' ? `access_log off; tcp_nodelay on; ${temporary}` : '';
  return `${kind === 'stream' && hasStreamModule ? `load_module ${STREAM_MODULE};` : ''}
daemon off; ${asRoot ? 'user root;' : ''} worker_processes 1; worker_rlimit_nofile 20000;
pid ${directory}/${name}.pid; error_log ${directory}/${name}.log error;
events { worker_connections 9000; }
${kind} { ${inside}
${servers}
}
`;
}

export { STREAM_MODULE };
