/**
 * Serves the two public documents of a development issuer over plain HTTP. There is no call that hands out a
 * token: those go to files only.
 */
import { createServer, type Server } from 'node:http';
import { type DevIssuer, DISCOVERY_PATH, KEY_SET_PATH } from './dev-issuer.ts';

const HEADER_MS = 5000;

/** @param issuer undefined while the issuer is still starting */
export function createDocumentServer(issuer: () => DevIssuer | undefined): Server {
  const server = createServer(
    { headersTimeout: HEADER_MS, requestTimeout: HEADER_MS, keepAliveTimeout: HEADER_MS },
    (request, response) => {
      const { method, url = '/' } = request;
      const document = documentAt(url.split('?', 1)[0]!, issuer());
      request.resume();
      if (method !== 'GET' && method !== 'HEAD') response.writeHead(405, { allow: 'GET, HEAD' }).end();
      else if (document === 'unknown') response.writeHead(404).end();
      else if (document === undefined) response.writeHead(503, { 'retry-after': '1' }).end();
      else {
        const body = JSON.stringify(document);
        response.writeHead(200, {
          'content-type': 'application/json',
          'cache-control': 'no-store',
          'content-length': Buffer.byteLength(body),
        });
        response.end(method === 'HEAD' ? undefined : body);
      }
    },
  );
  server.maxConnections = 1000;
  return server;
}

function documentAt(path: string, issuer: DevIssuer | undefined): object | 'unknown' | undefined {
  if (path === DISCOVERY_PATH) return issuer?.discovery();
  return path === KEY_SET_PATH ? issuer?.keySet() : 'unknown';
}
