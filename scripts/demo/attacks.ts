/**
 * The three things that must be refused while honest traffic flows. Each is a real attempt from outside over a
 * real socket, and counts only when the victim itself named the right code.
 */

import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buildCsr } from '../../shared/x509/csr-builder.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import type { Mesh } from '../local-mesh/mesh.ts';
import { FORMER, POISONED } from './demo-plan.ts';

/** Orders is led to the impostor's gate. @returns the refusal code that orders answered its app with */
export async function callTheImpostor(mesh: Mesh): Promise<string> {
  const port = mesh.service('orders').plan.outbound[POISONED]!;
  const { body } = await answerOf((done, failed) =>
    httpRequest({ host: '127.0.0.1', port, path: '/' }, done).on('error', failed).end(),
  );
  return codeIn(body);
}

/** Someone calls at ledger's port for tunnels without TLS. @returns the refusal code that ledger's sidecar logged */
export async function callInPlaintext(mesh: Mesh): Promise<string> {
  const { sidecar, plan } = mesh.service('ledger');
  const refused = sidecar.next('the plaintext caller is refused', ({ event }) => event === 'peer_refused');
  const socket = connect(plan.ports.tunnel, '127.0.0.1', () =>
    socket.write('GET /balance HTTP/1.1\r\nHost: ledger\r\n\r\n'),
  );
  socket.on('error', () => socket.destroy()); // being cut off is what is expected
  socket.resume();
  const { fields } = await refused;
  socket.destroy();
  return String(fields['code']);
}

/** A token that has expired is sent with a good CSR. @returns the code of citadel's answer */
export async function sendAnExpiredToken(mesh: Mesh): Promise<string> {
  const expiredToken = await readFile(join(mesh.plan.directory, 'tokens', FORMER, 'token'), 'utf8');
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const body = JSON.stringify({ csr: encodePem('CERTIFICATE REQUEST', buildCsr(keys)) });
  const options = {
    method: 'POST',
    host: '127.0.0.1',
    port: mesh.plan.citadel.port,
    path: '/v1/certificates',
    ca: await readFile(mesh.plan.rootFile),
    headers: {
      authorization: `Bearer ${expiredToken.trim()}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    },
  };
  const answer = await answerOf((done, failed) => httpsRequest(options, done).on('error', failed).end(body));
  return answer.status === 201 ? 'accepted' : codeIn(answer.body);
}

type Answered = (response: import('node:http').IncomingMessage) => void;

function answerOf(
  send: (done: Answered, failed: (error: Error) => void) => void,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    send((response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    }, reject);
  });
}

function codeIn(body: string): string {
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return String(code ?? 'no code');
  } catch {
    return 'no code';
  }
}
