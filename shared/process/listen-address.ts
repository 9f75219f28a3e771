/** `host:port` in the configuration, as text and as its parts, and a listen that fails with a code. */
import { isIPv6, type Server } from 'node:net';
import { Refusal } from '../errors/refusal.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:80`, `[::1]:80`, `localhost:80`, `:80` (all addresses); undefined when it is none of these. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535 || (match[1] !== undefined && !isIPv6(match[1]))) return undefined;
  return { host: match[1] ?? (match[2] || '::'), port };
}

/**
 * @param reusePort several may listen there (SO_REUSEPORT), and connections are dealt out among them
 * @returns the address in use, its port real where 0 was asked for
 * @throws {Refusal} address_*
 */
export function listen(server: Server, text: string, { reusePort = false } = {}): Promise<ListenAddress> {
  const address = parseListenAddress(text);
  if (!address) throw new Refusal('address_unusable', `\`${text}\` is not host:port`);
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const code = error.code === 'EADDRINUSE' ? 'address_in_use' : 'address_unusable';
      reject(new Refusal(code, { detail: `${text} (${error.code ?? error.message})`, cause: error }));
    };
    server.once('error', fail);
    server.listen({ host: address.host, port: address.port, backlog: 4096, reusePort }, () => {
      server.off('error', fail);
      const bound = server.address();
      resolve({ host: address.host, port: typeof bound === 'object' && bound ? bound.port : address.port });
    });
  });
}
