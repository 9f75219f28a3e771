import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { createKubernetesClient, type KubernetesApi } from '../../citadel/kubernetes/client.ts';
import { systemClock } from '../../shared/clock/clock.ts';

/** The same calls, in the same order, hold against a real kube-apiserver. */
describe('the fake API server as a process', () => {
  let directory: string;
  let api: KubernetesApi;
  let stop: () => Promise<void>;
  let command: (path: string, body?: object) => Promise<unknown>;
  let admin: KubernetesApi;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'fake-api-'));
    const script = join(import.meta.dirname, 'fake-api-server-main.ts');
    const child = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve));
    const { url, adminToken, controlUrl } = JSON.parse(line) as Record<'url' | 'adminToken' | 'controlUrl', string>;
    const caFile = join(directory, 'ca.crt');
    api = createKubernetesClient({ url, caFile, tokenFile: join(directory, 'token'), clock: systemClock });
    writeFileSync(join(directory, 'admin'), adminToken);
    admin = createKubernetesClient({ url, caFile, tokenFile: join(directory, 'admin'), clock: systemClock });
    command = (path, body = {}) => fetch(`${controlUrl}${path}`, { method: 'POST', body: JSON.stringify(body) });
    stop = () => new Promise((resolve) => child.once('exit', () => resolve()).kill());
  });
  after(async () => {
    await Promise.all([api.close(), admin.close()]);
    await stop();
    rmSync(directory, { recursive: true });
  });

  const TOKEN = '/api/v1/namespaces/shop/serviceaccounts/web/token';
  const bound = { kind: 'Pod', apiVersion: 'v1', name: 'web-1' };
  const request = (spec: object) =>
    admin.request('POST', TOKEN, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec });
  const review = async (token: string, audiences: string[]) => {
    const { body } = await api.request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences },
    });
    return (body as { status: { authenticated?: boolean; error?: string; audiences?: string[] } }).status;
  };
  const reason = ({ body }: { body: unknown }) => (body as { reason?: string }).reason;

  it('makes pods and their tokens, and reviews them with the words of kube-apiserver', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1' },
      spec: { serviceAccountName: 'web', nodeName: 'node-1' },
    };
    expect((await admin.request('POST', '/api/v1/namespaces/shop/pods', pod)).status).to.equal(201);
    expect(reason(await admin.request('POST', '/api/v1/namespaces/shop/pods', pod))).to.equal('AlreadyExists');
    expect(reason(await request({ expirationSeconds: 60 }))).to.equal('Invalid');
    expect(reason(await request({ boundObjectRef: { ...bound, name: 'none' } }))).to.equal('NotFound');
    expect(reason(await request({ boundObjectRef: { ...bound, uid: 'other' } }))).to.equal('Conflict');
    const { body } = await request({ audiences: ['citadel', 'vault'], expirationSeconds: 600, boundObjectRef: bound });
    const { token } = (body as { status: { token: string } }).status;
    expect(await review(token, ['citadel'])).to.deep.include({ authenticated: true, audiences: ['citadel'] });
    const other = await review(token, ['other']);
    expect(other.authenticated).to.equal(undefined);
    expect(other.error).to.equal(
      '[invalid bearer token, token audiences ["citadel" "vault"] is invalid for the target audiences ["other"]]',
    );
    expect((await review(token, [])).error).to.contain('is invalid for the target audiences');
    expect((await review('garbage', ['citadel'])).error).to.equal('invalid bearer token');
  });

  it('lets nobody unknown in, and allows only what RBAC grants', async () => {
    expect(reason(await api.request('POST', TOKEN, { spec: {} }))).to.equal('Forbidden');
    await command('/fake/forbid-reviews');
    expect(
      reason(await api.request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: 'a' } })),
    ).to.equal('Forbidden');
    await command('/fake/allow-reviews');
  });

  it('fails on command', async () => {
    await command('/fake/fail', { status: 429, headers: { 'retry-after': '2' }, times: 1 });
    expect((await api.request('GET', '/openid/v1/jwks')).retryAfterMs).to.equal(2000);
    expect((await api.request('GET', '/openid/v1/jwks')).status).to.equal(200);
  });
});
