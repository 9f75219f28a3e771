import { expect } from 'chai';
import { apiServerAddress } from '../../../citadel/kubernetes/api-server-address.ts';
import { retryAfterMs } from '../../../citadel/kubernetes/retry-after.ts';
import { refusalCodeOf } from '../../support/refusals.ts';

const IN_CLUSTER = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
const FILES = '/var/run/secrets/kubernetes.io/serviceaccount';

describe('the address of the API server', () => {
  it('is what kubelet tells every pod, unless configured', () => {
    expect(apiServerAddress({}, IN_CLUSTER)).to.deep.equal({
      url: 'https://10.96.0.1',
      caFile: `${FILES}/ca.crt`,
      tokenFile: `${FILES}/token`,
    });
    expect(apiServerAddress({ tokenFile: '/own/token' }, IN_CLUSTER).tokenFile).to.equal('/own/token');
    expect(apiServerAddress({ url: 'https://api.test:6443', caFile: '/ca' }, IN_CLUSTER)).to.deep.equal({
      url: 'https://api.test:6443',
      caFile: '/ca',
    });
  });

  it('may be IPv6', () => {
    expect(apiServerAddress({}, { ...IN_CLUSTER, KUBERNETES_SERVICE_HOST: 'fd00::1' }).url).to.equal(
      'https://[fd00::1]',
    );
  });

  for (const url of [
    'http://api.test',
    'https://api.test/path',
    'https://user@api.test',
    'https://api.test/?x',
    'api.test',
    '',
  ]) {
    it(`is not ${JSON.stringify(url)}`, async () => {
      expect(await refusalCodeOf(() => apiServerAddress({ url }, {}))).to.equal('config_invalid');
    });
  }

  it('must come from somewhere', async () => {
    expect(await refusalCodeOf(() => apiServerAddress({}, {}))).to.equal('config_invalid');
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1, 12, 0, 0);
  for (const [header, ms] of [
    ['0', 0],
    ['120', 120_000],
    ['Thu, 01 Jan 2026 12:00:30 GMT', 30_000],
    ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
    ['', undefined],
    ['-1', undefined],
    ['soon', undefined],
    ['1e9', undefined],
    [undefined, undefined],
  ] as const) {
    it(`${JSON.stringify(header)} means ${ms} ms`, () => {
      expect(retryAfterMs(header, now)).to.equal(ms);
    });
  }
});
