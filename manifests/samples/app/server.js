/**
 * The sample service of the demo, docker-compose and the manifests: plain HTTP, no dependencies, no TLS.
 * It answers who it is, who called it (as its sidecar proved) and what the service behind it answered.
 *
 *   NAME=orders PORT=8080 NEXT=http://127.0.0.1:15101 node server.js
 */
import http from 'node:http';

const { NAME = 'app', HOST = '127.0.0.1', PORT = '8080', NEXT = '' } = process.env;
const agent = new http.Agent({ keepAlive: true });

const server = http.createServer(async (request, response) => {
  if (request.url === '/healthz') return void response.end('ok\n');
  const answer = { service: NAME, caller: callerOf(request.headers['x-forwarded-client-cert']) };
  let status = 200;
  if (NEXT !== '') {
    const next = await call(NEXT, request.headers['x-request-id']);
    status = next.status === 200 ? 200 : 502;
    answer.next = next.body;
  }
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(answer)}\n`);
});

/** The sidecar strips this header from callers and sets it from the verified certificate: it can be believed. */
function callerOf(header) {
  return /(?:^|;)URI=([^;,]+)/.exec(header ?? '')?.[1] ?? 'nobody (no sidecar in front)';
}

function call(url, requestId) {
  return new Promise((resolve) => {
    const headers = requestId === undefined ? {} : { 'x-request-id': requestId };
    const request = http.get(url, { agent, headers }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, body: parsed(Buffer.concat(parts).toString()) }));
      answer.on('error', (error) => resolve({ status: 0, body: error.message }));
    });
    request.on('error', (error) => resolve({ status: 0, body: error.message }));
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

server.listen(Number(PORT), HOST, () => console.log(`${NAME} listens on http://${HOST}:${server.address().port}`));
for (const signal of ['SIGTERM', 'SIGINT'])
  process.on(signal, () => server.close(() => process.exit(0)).closeAllConnections());
