/**
 * Promise: a request that two readers could read in two ways is refused by citadel, once, and nothing that hides
 * behind it is ever answered. Wrong methods and paths meet their code too.
 * Real parts: citadel as a process; a caller that writes raw bytes over TLS.
 */
import { expect } from 'chai';
import { type CitadelClient, codeOf } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { tlsCaller } from '../support/tls-caller.ts';
import { TestIssuer } from '../support/token-sources.ts';

/** Stands where a careless reader finds a second request. */
const HIDDEN = 'GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\nx-request-id: hidden\r\n\r\n';

describe('citadel, offered requests with two meanings', () => {
  let issuer: TestIssuer;
  let citadel: CitadelProcess;
  let client: CitadelClient;
  let token: string;
  let body: string;
  before(async () => {
    issuer = await TestIssuer.start();
    citadel = await CitadelProcess.start({ tokens: issuer });
    client = await citadel.client();
    token = issuer.token();
    body = JSON.stringify({ csr: freshCsr() });
  });
  after(async () => {
    await citadel?.[Symbol.asyncDispose]();
    issuer?.close();
  });

  /** A request for a certificate with these fields, and then these bytes. */
  const post = (fields: readonly string[], rest: string): string =>
    [
      'POST /v1/certificates HTTP/1.1',
      'host: localhost',
      `authorization: Bearer ${token}`,
      'content-type: application/json',
      ...fields,
      '',
      rest,
    ].join('\r\n');

  const SHAPES: readonly (readonly [what: string, code: string, bytes: () => string])[] = [
    [
      'a length and chunks (CL.TE)',
      'request_malformed',
      () => post([`content-length: ${body.length}`, 'transfer-encoding: chunked'], `0\r\n\r\n${HIDDEN}`),
    ],
    [
      'chunks and a length (TE.CL)',
      'request_malformed',
      () => post(['transfer-encoding: chunked', 'content-length: 4'], `5c\r\n${HIDDEN}\r\n0\r\n\r\n`),
    ],
    [
      'two lengths that differ',
      'request_malformed',
      () => post([`content-length: ${body.length}`, 'content-length: 0'], body + HIDDEN),
    ],
    [
      'two lengths that agree',
      'request_malformed',
      () => post([`content-length: ${body.length}`, `content-length: ${body.length}`], body),
    ],
    ['a list of lengths', 'request_malformed', () => post([`content-length: ${body.length}, ${body.length}`], body)],
    ['a length with a sign', 'request_malformed', () => post([`content-length: +${body.length}`], body)],
    [
      'a length in hexadecimal',
      'request_malformed',
      () => post([`content-length: 0x${body.length.toString(16)}`], body),
    ],
    ['an endless length', 'request_malformed', () => post(['content-length: 99999999999999999999'], body)],
    [
      'chunks alone',
      'request_length_required',
      () => post(['transfer-encoding: chunked'], `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`),
    ],
    ['chunks in disguise', 'request_malformed', () => post(['transfer-encoding: xchunked'], HIDDEN)],
    ['chunks and something else', 'request_malformed', () => post(['transfer-encoding: chunked, identity'], HIDDEN)],
    ['a blank before the colon', 'request_malformed', () => post([`content-length : ${body.length}`], body)],
    ['a folded field', 'request_malformed', () => post(['x-note: a', ` content-length: ${body.length}`], body)],
    ['a field without a colon', 'request_malformed', () => post(['content-length'], body)],
    ['a NUL in a field', 'request_malformed', () => post(['x-note: a\0b', `content-length: ${body.length}`], body)],
    [
      'a bare carriage return in a field',
      'request_malformed',
      () => post([`x-note: a\rcontent-length: 0`, `content-length: ${body.length}`], body),
    ],
    [
      'bare line feeds',
      'request_malformed',
      () => post([`content-length: ${body.length}`], body).replaceAll('\r\n', '\n'),
    ],
    ['two hosts', 'request_malformed', () => post(['host: elsewhere', `content-length: ${body.length}`], body)],
    [
      'two tokens',
      'request_malformed',
      () => post([`authorization: Bearer ${token}`, `content-length: ${body.length}`], body),
    ],
    ['HTTP/2 with prior knowledge', 'request_malformed', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.2', 'request_malformed', () => HIDDEN.replace('1.1', '1.2')],
    ['no version', 'request_malformed', () => 'GET /v1/bundle\r\n\r\n'],
    ['a tunnel', 'method_not_allowed', () => 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: localhost\r\n\r\n'],
  ];
  for (const [what, code, bytes] of SHAPES) {
    it(`meets ${what} with ${code}, once`, async () => {
      const before = await citadel.metric('citadel_certificates_issued_total');
      await using caller = await tlsCaller(citadel.port);
      const text = await caller.send(bytes()).until(/"code":"\w+"/);
      expect(/"code":"(\w+)"/.exec(text)?.[1]).to.equal(code);
      // What comes next on the connection, if anything, is the answer to what is really sent next.
      if (caller.socket.writable) caller.send(HIDDEN.replace('hidden', 'next'));
      await Promise.race([caller.closed(), caller.until('x-request-id: next')]);
      const answers = Array.from(caller.text.matchAll(/HTTP\/1\.1 \d+|x-request-id: next/g), ([answer]) => answer);
      expect(answers.length === 1 || answers[2] === 'x-request-id: next', caller.text).to.equal(true);
      expect(caller.text).not.to.include('x-request-id: hidden');
      expect(await citadel.metric('citadel_certificates_issued_total')).to.equal(before);
      expect((await client.certificate(token, freshCsr())).status).to.equal(201);
    });
  }

  it('answers requests that come in a row in their order', async () => {
    await using caller = await tlsCaller(citadel.port);
    const fields = [`content-length: ${body.length}`, 'x-request-id: first'];
    caller.send(
      post(fields, body) + HIDDEN.replace('hidden', 'second') + HIDDEN.replace('/v1', '/v2').replace('hidden', 'third'),
    );
    const text = await caller.until('third');
    expect(
      Array.from(text.matchAll(/HTTP\/1\.1 (\d+)|x-request-id: (\w+)/gi), ([, status, id]) => status ?? id),
    ).to.deep.equal(['201', 'first', '200', 'second', '404', 'third']);
  });

  const METHODS: readonly (readonly [method: string, path: string, allow: string])[] = [
    ['GET', '/v1/certificates', 'POST'],
    ['PUT', '/v1/certificates', 'POST'],
    ['DELETE', '/v1/certificates', 'POST'],
    ['OPTIONS', '/v1/certificates', 'POST'],
    ['TRACE', '/v1/bundle', 'GET, HEAD'],
    ['POST', '/v1/bundle', 'GET, HEAD'],
    ['PATCH', '/v1/watch', 'GET, HEAD'],
  ];
  for (const [method, path, allow] of METHODS) {
    it(`meets ${method} ${path} with what is allowed there`, async () => {
      const answer = await client.call({ method, path, token });
      expect([answer.status, codeOf(answer), answer.headers['allow']]).to.deep.equal([
        405,
        'method_not_allowed',
        allow,
      ]);
    });
  }

  for (const path of [
    '/',
    '/v1',
    '/v1/certificates/',
    '/v1/Certificates',
    '/v1//bundle',
    '/v1/../v1/bundle',
    '/metrics',
    '/%76%31/bundle',
  ]) {
    it(`knows nothing at ${path}`, async () => {
      const answer = await client.call({ path, token });
      expect([answer.status, codeOf(answer)]).to.deep.equal([404, 'route_unknown']);
    });
  }
});
