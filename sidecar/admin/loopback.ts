/**
 * What counts as loopback. The admin port is for who is already inside the pod: it is refused any other address, and
 * a request that names another host is not answered, or a web page in a browser on the same machine could rebind its
 * own name to 127.0.0.1 and read it. Pure.
 */
import { isIPv4 } from 'node:net';
import { parseListenAddress } from '../../shared/process/listen-address.ts';

/** @param text `host:port` to listen on */
export function isLoopbackAddress(text: string): boolean {
  const address = parseListenAddress(text);
  return address !== undefined && isLoopbackHost(address.host);
}

/** @param header the Host header of a request: with or without a port */
export function isLoopbackName(header: string | undefined): boolean {
  if (header === undefined) return false;
  const host = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::\d{1,5})?$/.exec(header);
  return host !== null && isLoopbackHost((host[1] ?? host[2])!.toLowerCase());
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
