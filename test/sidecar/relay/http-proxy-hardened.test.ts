import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type HttpProxy from 'http-proxy';
import { hardenedHttpProxy, loadHttpProxy } from '../../../sidecar/relay/http-proxy-hardened.ts';
import { httpApp } from '../../support/app-server.ts';
import { RawClient } from '../../support/raw-client.ts';
import { tool } from '../../support/tool.ts';
import { until } from '../../support/until.ts';

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

/** What an app behind the proxy takes for requests when one DELETE with a chunked body is sent. */
async function requestsSeen(create: (options: HttpProxy.ServerOptions) => HttpProxy): Promise<string[]> {
  const seen: string[] = [];
  await using app = await httpApp((request: IncomingMessage, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${body.length}`);
      response.end('ok');
    });
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const proxy = create({ agent, target: `http://127.0.0.1:${app.port}` });
  proxy.on('error', (_error, _request, response) => response.destroy());
  const server = createServer((request, response) => proxy.web(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await using client = await RawClient.connect((server.address() as AddressInfo).port);
  const size = SMUGGLED.length.toString(16);
  client.send(`DELETE /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\n${SMUGGLED}\r\n0\r\n\r\n`);
  await client.until('ok');
  // One more request on the same connection upstream: what was smuggled stands before it.
  client.send('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('what follows has arrived', () => seen.some((one) => /\/(?:next|smuggled) /.test(one)));
  agent.destroy();
  server.closeAllConnections();
  server.close();
  return seen;
}

describe('http-proxy', () => {
  it('as it is makes a second request out of the body of a DELETE', async () => {
    const seen = await requestsSeen((options) => loadHttpProxy().createProxyServer(options));
    expect(seen).to.include('GET /smuggled 0');
  });

  it('hardened leaves the body a body', async () => {
    const seen = await requestsSeen(hardenedHttpProxy);
    expect(seen).to.deep.equal([`DELETE /a ${SMUGGLED.length}`, 'GET /next 0']);
  });

  it('hardened prints no warning of deprecation in a new process', async () => {
    const module = new URL('../../../sidecar/relay/http-proxy-hardened.ts', import.meta.url).href;
    const program = `import { hardenedHttpProxy } from '${module}'; hardenedHttpProxy({}).on('error', () => {}).web({}, {}, {});`;
    const { code, stderr } = await tool(process.execPath, ['--input-type=module', '-e', program]);
    expect([code, stderr]).to.deep.equal([0, '']);
  });
});
