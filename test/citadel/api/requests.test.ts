/** What the API does with requests that are fine, and with requests that are not: each its own code. */
import { expect } from 'chai';
import { readCertificateAnswer } from '../../../shared/api/messages.ts';
import { decodeBundle } from '../../../shared/spiffe/trust-bundle.ts';
import { type Answer, ApiUnderTest, bearer, RawCaller } from './api-under-test.ts';

describe('the API', () => {
  let api: ApiUnderTest;
  before(async () => {
    api = await ApiUnderTest.start();
  });
  after(() => api[Symbol.asyncDispose]());

  const refused = (answer: Answer, status: number, code: string): void => {
    expect(answer.text, 'body').to.include(code);
    expect(answer.status).to.equal(status);
    expect(answer.headers['content-type']).to.equal('application/problem+json');
    expect(JSON.parse(answer.text)).to.include({ status, code, type: `urn:sallyport:refusal:${code}` });
  };

  it('answers a certificate with the fields of the contract', async () => {
    const answer = await api.post('/v1/certificates', { csr: 'a csr', ttlSeconds: 600 });
    expect(answer.status).to.equal(201);
    expect(answer.headers['cache-control']).to.equal('no-store');
    const body = readCertificateAnswer(JSON.parse(answer.text));
    expect(body).to.include({ spiffeId: 'spiffe://test/ns/shop/sa/web' });
    expect(body?.receipt).to.deep.equal({ entry: 7, serial: 'ab12' });
    expect(body?.trustBundle).to.have.length(1);
  });

  it('counts and logs what was issued, with the facts that lead from certificate to pod', async () => {
    const before = api.metrics.issued.get();
    await api.post('/v1/certificates', { csr: 'a csr' }, 'good-logged', { 'x-request-id': 'trace-1' });
    const line = await api.line(
      ({ event, fields }) => event === 'certificate_issued' && fields['requestId'] === 'trace-1',
    );
    expect(line.fields).to.include({
      serial: 'ab12',
      podUid: 'uid-logged',
      pod: 'logged',
      node: 'node-1',
      tokenId: 'token-id-1',
      keyFingerprint: 'fe98',
      spiffeId: 'spiffe://test/ns/shop/sa/web',
    });
    expect(api.metrics.issued.get()).to.equal(before + 1);
  });

  it('gives back a harmless request id and replaces any other', async () => {
    const kept = await api.ask('GET', '/v1/bundle', { headers: { 'x-request-id': 'Abc-1.2_3' } });
    expect(kept.headers['x-request-id']).to.equal('Abc-1.2_3');
    for (const hostile of ['a b', 'x'.repeat(65), 'a"b', '{}']) {
      const { headers } = await api.ask('GET', '/v1/bundle', { headers: { 'x-request-id': hostile } });
      expect(headers['x-request-id']).to.match(/^[0-9a-f]{16}$/);
    }
  });

  it('answers problem details for every path that does not exist', async () => {
    for (const path of ['/', '/v1', '/v1/certificates/', '/V1/bundle', '/v1/bundle/../watch', '//v1/bundle']) {
      refused(await api.ask('GET', path), 404, 'route_unknown');
    }
  });

  it('answers to targets in absolute form like to their paths (RFC 9112 §3.2.2)', async () => {
    expect((await api.ask('GET', 'https://another.name:8443/v1/bundle?x=1')).status).to.equal(200);
    refused(await api.ask('GET', 'https://another.name/v1/certificates'), 405, 'method_not_allowed');
    refused(await api.ask('GET', 'https://another.name'), 404, 'route_unknown');
    refused(await api.ask('GET', 'http://another.name/v1/bundle'), 400, 'request_malformed');
  });

  it('names the allowed methods when the method is wrong', async () => {
    const wrongGet = await api.ask('GET', '/v1/certificates', { headers: bearer('good') });
    refused(wrongGet, 405, 'method_not_allowed');
    expect(wrongGet.headers['allow']).to.equal('POST');
    const wrongDelete = await api.ask('DELETE', '/v1/bundle');
    refused(wrongDelete, 405, 'method_not_allowed');
    expect(wrongDelete.headers['allow']).to.equal('GET, HEAD');
  });

  it('refuses CONNECT by hand, since it has no response object', async () => {
    const caller = await api.raw();
    caller.socket.write('CONNECT example.test:443 HTTP/1.1\r\nhost: example.test:443\r\n\r\n');
    const text = await caller.until('method_not_allowed');
    expect(text).to.match(/^HTTP\/1\.1 405 /);
    await caller.closed;
  });

  it('refuses requests without a token, with another scheme, and with an empty one', async () => {
    for (const headers of [
      {},
      { authorization: 'Basic Z29vZA==' },
      { authorization: 'Bearer ' },
      { authorization: 'Bearer' },
    ]) {
      const answer = await api.ask('POST', '/v1/certificates', {
        headers: { ...headers, 'content-type': 'application/json', 'content-length': '2' },
        body: '{}',
      });
      refused(answer, 401, 'token_missing');
      expect(answer.headers['www-authenticate']).to.equal('Bearer');
    }
  });

  it('reads the scheme in any case (RFC 9110 §11.1)', async () => {
    const answer = await api.post('/v1/certificates', { csr: 'x' }, '', { authorization: 'bearer good' });
    expect(answer.status).to.equal(201);
  });

  it('refuses a token over 8 KiB by its own code, before it reads the body', async () => {
    refused(await api.post('/v1/certificates', { csr: 'x' }, 'x'.repeat(8193)), 401, 'token_too_large');
  });

  const BODIES: readonly (readonly [string, unknown, string])[] = [
    ['no JSON', '{"csr":', 'request_malformed'],
    ['a JSON array', '[]', 'request_malformed'],
    ['null', 'null', 'request_malformed'],
    ['a number', '7', 'request_malformed'],
    ['nothing', '', 'request_malformed'],
    ['no CSR', {}, 'csr_missing'],
    ['an empty CSR', { csr: '' }, 'csr_missing'],
    ['a CSR that is no text', { csr: 7 }, 'request_malformed'],
    ['a lifetime that is no number', { csr: 'x', ttlSeconds: '600' }, 'request_malformed'],
    ['a broken lifetime', { csr: 'x', ttlSeconds: 0.5 }, 'request_malformed'],
    ['a lifetime that is null', { csr: 'x', ttlSeconds: null }, 'request_malformed'],
    ['an unknown field', { csr: 'x', spiffeId: 'spiffe://test/admin' }, 'request_malformed'],
    ['a field __proto__', '{"csr":"x","__proto__":{"ttlSeconds":1}}', 'request_malformed'],
    ['deep nesting', `{"csr":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'request_malformed'],
  ];
  for (const [what, body, code] of BODIES) {
    it(`refuses a body with ${what}`, async () => {
      refused(await api.post('/v1/certificates', body), 400, code);
    });
  }

  it('says in its log, not to the caller, that a body is nested too deeply', async () => {
    const answer = await api.post('/v1/certificates', `{"csr":${'[{"a":'.repeat(9)}1${'}]'.repeat(9)}}`, 'good', {
      'x-request-id': 'deep',
    });
    refused(answer, 400, 'request_malformed');
    const line = await api.line(({ fields }) => fields['requestId'] === 'deep');
    expect(line.fields['detail']).to.match(/nested deeper/);
  });

  it('resumes no TLS session', async () => {
    const sessions: Buffer[] = [];
    const first = await api.raw();
    first.socket.on('session', (session) => sessions.push(session));
    first.socket.write('GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await first.until('spiffe_sequence');
    // Node announces sessions either way; what counts is that the server knows none of them.
    const session = sessions.at(-1) ?? first.socket.getSession();
    expect(session).to.not.equal(undefined);
    const second = await RawCaller.connect(api.port, { session: session! });
    expect(second.socket.isSessionReused()).to.equal(false);
    second.socket.destroy();
    first.socket.destroy();
  });

  it('never repeats what a malformed body held, in the answer or in the log', async () => {
    const secret = 'eyJhbGciOiJSUzI1NiJ9.secret';
    const answer = await api.post('/v1/certificates', `{"csr": ${secret}}`);
    refused(answer, 400, 'request_malformed');
    expect(answer.text + JSON.stringify(api.lines)).not.to.include(secret);
  });

  it('wants JSON, without content encoding, in a body of announced length', async () => {
    const form = await api.post('/v1/certificates', 'csr=x', 'good', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    refused(form, 415, 'request_media_type');
    refused(
      await api.post('/v1/certificates', '{}', 'good', { 'content-encoding': 'gzip' }),
      415,
      'request_media_type',
    );
    const chunked = await api.ask('POST', '/v1/certificates', {
      headers: { ...bearer('good'), 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      body: '{"csr":"x"}',
    });
    refused(chunked, 411, 'request_length_required');
    expect(
      (await api.post('/v1/certificates', { csr: 'x' }, 'good', { 'content-type': 'application/json; charset=utf-8' }))
        .status,
    ).to.equal(201);
  });

  it('refuses a body of 1 MiB, and the caller gets to read why', async () => {
    refused(await api.post('/v1/certificates', { csr: 'x'.repeat(1 << 20) }), 413, 'request_too_large');
  });

  it('gives the bundle to anyone, with a tag by which it is not sent twice', async () => {
    const first = await api.ask('GET', '/v1/bundle');
    expect(first.status).to.equal(200);
    expect(decodeBundle('test', JSON.parse(first.text))).to.include({ sequence: 1, refreshHintSeconds: 300 });
    const tag = String(first.headers['etag']);
    for (const header of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const again = await api.ask('GET', '/v1/bundle', { headers: { 'if-none-match': header } });
      expect([again.status, again.text]).to.deep.equal([304, '']);
    }
    expect((await api.ask('GET', '/v1/bundle', { headers: { 'if-none-match': '"other"' } })).status).to.equal(200);
  });

  it('answers HEAD as GET without the body', async () => {
    const get = await api.ask('GET', '/v1/bundle');
    const head = await api.ask('HEAD', '/v1/bundle');
    expect(head.text).to.equal('');
    expect(head.headers['content-length']).to.equal(get.headers['content-length']);
  });

  it('answers a fault of its own with a code, and keeps the cause for its log', async () => {
    await using broken = await ApiUnderTest.start({ issue: () => Promise.reject(new TypeError('a secret cause')) });
    const answer = await broken.post('/v1/certificates', { csr: 'x' });
    refused(answer, 500, 'citadel_internal');
    expect(answer.text).not.to.include('secret');
    const line = await broken.line(({ event }) => event === 'certificate_refused');
    expect(line.level).to.equal('error');
    expect(line.fields).to.include({ code: 'citadel_internal', detail: 'TypeError: a secret cause' });
  });

  it('counts every refusal by its code', async () => {
    const before = api.metrics.refusals.get(['token_signature_invalid']);
    refused(await api.post('/v1/certificates', { csr: 'x' }, 'bad'), 401, 'token_signature_invalid');
    expect(api.metrics.refusals.get(['token_signature_invalid'])).to.equal(before + 1);
    const line = await api.line(({ fields }) => fields['code'] === 'token_signature_invalid');
    expect(line).to.deep.include({ level: 'warn', event: 'certificate_refused' });
  });
});
