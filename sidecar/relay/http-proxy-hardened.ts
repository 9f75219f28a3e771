/**
 * http-proxy, with what makes it unsafe taken out; loaded when the first upgrade comes. Its pass `deleteLength`
 * takes Transfer-Encoding away from DELETE and OPTIONS requests and forwards their body all the same, which a
 * server on a kept connection then reads as the next request (request smuggling). It is used for upgrades only.
 */
import { createRequire } from 'node:module';
import type HttpProxy from 'http-proxy';

const load = createRequire(import.meta.url);

/** The library as it is. `util._extend`, which it takes at loading, is deprecated and warns at its first use (DEP0060). */
export function loadHttpProxy(): typeof HttpProxy {
  const util = load('node:util') as { _extend: unknown };
  const deprecated = util._extend;
  util._extend = Object.assign;
  try {
    return load('http-proxy') as typeof HttpProxy;
  } finally {
    util._extend = deprecated;
  }
}

interface Pass {
  readonly name: string;
}

export function hardenedHttpProxy(options: HttpProxy.ServerOptions): HttpProxy {
  const proxy = loadHttpProxy().createProxyServer(options);
  const passes = proxy as unknown as { webPasses: readonly Pass[] };
  passes.webPasses = passes.webPasses.filter(({ name }) => name !== 'deleteLength');
  return proxy;
}
