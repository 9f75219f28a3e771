/** `citadel serve` as a process, behind its real command line: start, one certificate, watch, signals, end. */

import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { asYaml } from '../../scripts/local-mesh/mesh-plan.ts';
import { readCertificateAnswer, readWatchMessage } from '../../shared/api/messages.ts';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { buildCsr } from '../../shared/x509/csr-builder.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { CitadelClient, codeOf } from '../support/citadel-client.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { until } from '../support/until.ts';

describe('citadel serve', () => {
  let mesh: TestMesh;
  let client: CitadelClient;
  let token: string;
  before(async function () {
    this.timeout(30_000);
    mesh = await plannedMesh({
      services: [{ name: 'web' }],
      citadelSettings: { limits: { requestsPerSecondPerPod: 0.001, requestBurstPerPod: 12, drainSeconds: 2 } },
    });
    await mesh.startIssuer();
    await mesh.startCitadel();
    client = new CitadelClient({ port: mesh.plan.citadel.port, ca: await readFile(mesh.plan.rootFile) });
    token = (await readFile(mesh.plan.services[0]!.tokenFile, 'utf8')).trim();
  });
  after(async () => {
    client?.close();
    await mesh?.[Symbol.asyncDispose]();
  });

  const csr = (): string =>
    encodePem('CERTIFICATE REQUEST', buildCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' })));
  const readyz = (): Promise<Response> => fetch(`http://127.0.0.1:${mesh.plan.citadel.healthPort}/readyz`);

  it('turns a token and a CSR into a certificate for the identity of the token', async () => {
    const answer = await client.certificate(token, csr());
    expect(answer.status, answer.text).to.equal(201);
    const certificate = readCertificateAnswer(answer.json);
    expect(certificate?.spiffeId).to.equal('spiffe://cluster.local/ns/shop/sa/web');
    const { fields } = await mesh.citadel.event('certificate issued', ({ event }) => event === 'certificate_issued');
    expect(fields).to.include({
      serial: certificate?.receipt.serial,
      spiffeId: certificate?.spiffeId,
      requestId: answer.headers['x-request-id'],
    });
    expect(fields).to.include.keys('podUid', 'pod', 'node', 'tokenId', 'keyFingerprint', 'notAfter', 'milliseconds');
  });

  it('shows a serving certificate of its own authority, with its SPIFFE ID, to clients of TLS 1.3 only', async () => {
    const { connect } = await import('node:tls');
    const { port } = mesh.plan.citadel;
    const ca = await readFile(mesh.plan.rootFile);
    const names = await new Promise<string | undefined>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' }, () => {
        resolve(socket.getPeerCertificate().subjectaltname);
        socket.destroy();
      });
      socket.on('error', reject);
    });
    expect(names).to.equal(
      'URI:spiffe://cluster.local/ns/citadel-system/sa/citadel, DNS:localhost, IP Address:127.0.0.1',
    );
    const old = await new Promise((resolve) => {
      connect({ host: '127.0.0.1', port, ca, servername: 'localhost', maxVersion: 'TLSv1.2' }).on(
        'error',
        (error: NodeJS.ErrnoException) => resolve(error.code),
      );
    });
    expect(old).to.equal('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  });

  it('counts what it does where Prometheus looks', async () => {
    const page = await (await fetch(`http://127.0.0.1:${mesh.plan.citadel.healthPort}/metrics`)).text();
    expect(page).to.match(/^citadel_certificates_issued_total [1-9]/m);
    expect(page).to.match(/^citadel_issuance_duration_seconds_count\{result="issued"\} [1-9]/m);
    expect(page).to.match(/^citadel_journal_entries_total [1-9]/m);
    for (const certificate of ['root', 'intermediate', 'serving']) {
      const value = new RegExp(
        `^citadel_authority_not_after_timestamp_seconds\\{certificate="${certificate}"\\} (\\S+)`,
        'm',
      ).exec(page)?.[1];
      expect(Number(value) * 1000).to.be.greaterThan(Date.now());
    }
  });

  it('flags a token that is used with another key from another address, and still serves it by default', async () => {
    const answer = await client.certificate(token, csr(), { from: '127.0.0.2' });
    expect(answer.status).to.equal(201);
    const { fields } = await mesh.citadel.event('a suspected replay', ({ event }) => event === 'replay_suspected');
    expect(fields).to.include({ kind: 'token_replayed', refused: false, address: '127.0.0.2' });
  });

  it('sends a pod that asks too often away with a time to come back, and no other pod', async () => {
    let last = await client.certificate(token, csr());
    for (let asked = 0; asked < 15 && last.status === 201; asked++) last = await client.certificate(token, csr());
    expect([last.status, codeOf(last)]).to.deep.equal([429, 'rate_limited']);
    expect(Number(last.headers['retry-after'])).to.be.greaterThan(0);
  });

  it('reads the level of the log again on SIGHUP, and keeps the old one when the file is broken', async () => {
    const file = `${mesh.plan.directory}/citadel.yaml`;
    const { settings } = mesh.plan.citadel;
    await writeFile(file, asYaml({ ...settings, log: { format: 'json', level: 'loud' } }));
    mesh.citadel.child.kill('SIGHUP');
    await mesh.citadel.event(
      'reload refused',
      ({ event, fields }) => event === 'reload_failed' && fields['code'] === 'config_invalid',
    );
    await writeFile(file, asYaml({ ...settings, log: { format: 'json', level: 'debug' } }));
    mesh.citadel.child.kill('SIGHUP');
    const { fields } = await mesh.citadel.event('reloaded', ({ event }) => event === 'reloaded');
    expect(fields).to.include({ logLevel: 'debug' });
  });

  it('on SIGTERM says that it is not ready, ends its watchers and exits with 0', async () => {
    // A second life of the same citadel: the pod above has used up its requests.
    await mesh.citadel.stop();
    await mesh.startCitadel();
    const { request } = await import('node:https');
    const lines: string[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: mesh.plan.citadel.port,
        path: '/v1/watch',
        headers: { authorization: `Bearer ${token}` },
        agent: false as const,
      };
      void readFile(mesh.plan.rootFile).then((ca) => {
        request({ ...options, ca }, (response) => {
          response.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
          response.on('end', resolve);
        })
          .on('error', reject)
          .end();
      });
    });
    await until('the first bundle', () => lines.length > 0 || undefined);
    expect(readWatchMessage(lines[0]!)).to.include({ type: 'bundle', trustDomain: 'cluster.local' });
    expect((await readyz()).status).to.equal(200);
    mesh.citadel.child.kill('SIGTERM');
    await ended;
    expect(await mesh.citadel.exited).to.deep.equal({ code: EXIT.ok.code, signal: null });
  });

  it('cuts what is still arriving when the time to drain is over, and exits with 6', async () => {
    await mesh.startCitadel();
    const { connect } = await import('node:tls');
    const ca = await readFile(mesh.plan.rootFile);
    const socket = connect({ host: '127.0.0.1', port: mesh.plan.citadel.port, ca, servername: 'localhost' });
    const head = 'POST /v1/acknowledgements HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n';
    socket.write(`${head}authorization: Bearer x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve)); // 100 Continue: the request has begun
    socket.on('error', () => {}); // to be cut is what it is here for
    mesh.citadel.child.kill('SIGTERM');
    expect(await mesh.citadel.exited).to.deep.equal({ code: EXIT.drainCut.code, signal: null });
  });

  it('issues from the same authority after a restart', async () => {
    await mesh.startCitadel();
    const answer = await client.certificate(token, csr());
    expect(answer.status, answer.text).to.equal(201);
  });

  it('is not ready while the keys of the token issuer are out of reach, and becomes so by itself', async () => {
    await mesh.citadel.stop();
    await mesh.issuer.stop();
    const starting = mesh.startCitadel();
    const missing = await until('not ready yet', async () => {
      const answer = await readyz();
      return answer.status === 503 ? ((await answer.json()) as { missing: unknown[] }).missing : undefined;
    });
    expect(missing).to.have.nested.property('[0].what', 'attestation');
    await mesh.startIssuer();
    await starting;
    expect((await readyz()).status).to.equal(200);
  }).timeout(30_000);
});
