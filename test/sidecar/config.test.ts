import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse, stringify } from 'yaml';
import { loadSettings, SettingsProblems } from '../../shared/config/load-settings.ts';
import { printSettings } from '../../shared/config/print-settings.ts';
import { settingsKeys } from '../../shared/config/settings.ts';
import { SIDECAR_SETTINGS, type SidecarSettings } from '../../sidecar/config.ts';

const INBOUND = { listen: '0.0.0.0:15006', app: '127.0.0.1:8080' };
const OUTBOUND = {
  name: 'orders',
  listen: '127.0.0.1:15101',
  to: 'orders.shop.svc:15006',
  peers: ['spiffe://cluster.local/ns/shop/sa/orders'],
};
const CALLER = 'spiffe://cluster.local/ns/shop/sa/web';

function load(values: object, environment: Record<string, string> = {}): SidecarSettings {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  try {
    const file = join(folder, 'sidecar.yaml');
    writeFileSync(file, stringify(values));
    return loadSettings(SIDECAR_SETTINGS, { file, environment });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function problemsOf(values: object): readonly string[] {
  try {
    load(values);
  } catch (error) {
    if (error instanceof SettingsProblems) return error.problems;
    throw error;
  }
  return [];
}

describe('the settings of the sidecar', () => {
  it('need no more than one listener', () => {
    const settings = load({ inbound: [INBOUND] });
    expect(settings.inbound).to.deep.equal([{ ...INBOUND, name: 'app', protocol: 'http', unsafePlaintext: false }]);
    expect(settings).to.deep.include({
      trustDomain: 'cluster.local',
      outbound: [],
      admin: { listen: '127.0.0.1:15000' },
    });
    expect(settings.limits.drainSeconds).to.equal(30);
  });

  it('take callers by name and by what they are below of, and keep them as they were written', () => {
    const allow = [CALLER, 'spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/*'];
    const settings = load({ inbound: [{ ...INBOUND, allow }] });
    expect(settings.inbound[0]).to.deep.include({ allow });
    expect(parse(printSettings(SIDECAR_SETTINGS, settings)).inbound[0].allow).to.deep.equal(allow);
  });

  it('can come from the environment', () => {
    const settings = load(
      { inbound: [INBOUND] },
      { SIDECAR__LIMITS__DRAIN_SECONDS: '5', SIDECAR__OUTBOUND: JSON.stringify([OUTBOUND]) },
    );
    expect(settings.limits.drainSeconds).to.equal(5);
    expect(settings.outbound[0]).to.include({ name: 'orders' });
  });

  it('describe every key', () => {
    for (const { path, description } of settingsKeys(SIDECAR_SETTINGS))
      expect(description, path.join('.')).to.match(/^[A-Z].*\.$/);
  });

  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['an admin port beyond loopback', { admin: { listen: '0.0.0.0:15000' } }, /admin.*loopback/],
    [
      'a way out that others than the app could use',
      { outbound: [{ ...OUTBOUND, listen: '0.0.0.0:15101' }] },
      /outbound.*loopback/,
    ],
    ['an app on another machine', { inbound: [{ ...INBOUND, app: '10.0.0.1:80' }] }, /inbound.*loopback/],
    ['citadel without TLS', { citadel: { url: 'http://citadel:15012' } }, /citadel\.url/],
    ['citadel under a path', { citadel: { url: 'https://citadel:15012/v1' } }, /citadel\.url/],
    ['citadel with a password', { citadel: { url: 'https://a:b@citadel:15012' } }, /citadel\.url/],
    ['a way out that expects nobody', { outbound: [{ ...OUTBOUND, peers: [] }] }, /peers/],
    ['a peer that is no SPIFFE ID', { outbound: [{ ...OUTBOUND, peers: ['orders'] }] }, /peers.*SPIFFE ID/],
    [
      'a peer that is a whole trust domain',
      { outbound: [{ ...OUTBOUND, peers: ['spiffe://cluster.local'] }] },
      /peers.*SPIFFE ID/,
    ],
    ['a caller that is no SPIFFE ID', { inbound: [{ ...INBOUND, allow: ['web'] }] }, /inbound\.0\.allow\.0.*SPIFFE ID/],
    [
      'half a name of callers',
      { inbound: [{ ...INBOUND, allow: [CALLER, 'spiffe://cluster.local/ns/shop*'] }] },
      /inbound\.0\.allow\.1.*last one only/,
    ],
    [
      'a caller that is a trust domain and not those in it',
      { inbound: [{ ...INBOUND, allow: ['spiffe://cluster.local'] }] },
      /inbound\.0\.allow\.0.*no workload/,
    ],
    [
      'a list of callers with nobody in it',
      { inbound: [{ ...INBOUND, allow: [] }] },
      /inbound\.0\.allow.*leave it away, or name who may call/,
    ],
    [
      'more callers than anybody reads',
      { inbound: [{ ...INBOUND, allow: Array.from({ length: 257 }, () => CALLER) }] },
      /inbound\.0\.allow.*256/,
    ],
    [
      'callers that plaintext would get past',
      { inbound: [{ ...INBOUND, allow: [CALLER], unsafePlaintext: true }] },
      /inbound\.0\.allow.*take away `unsafePlaintext: true`/,
    ],
    ['a trust domain that is none', { trustDomain: 'Cluster.Local' }, /trustDomain/],
    [
      'two listeners on one port',
      { inbound: [INBOUND, { ...INBOUND, name: 'second', app: '127.0.0.1:8081' }] },
      /inbound\.1\.listen.*inbound\.0\.listen/,
    ],
    [
      'a listener on the health port, by way of the wildcard',
      { outbound: [{ ...OUTBOUND, listen: '127.0.0.1:15021' }] },
      /health\.listen.*outbound\.0\.listen/,
    ],
    [
      'two listeners of one name',
      { inbound: [INBOUND, { ...INBOUND, listen: '0.0.0.0:15007', app: '127.0.0.1:8081' }] },
      /inbound\.1\.name/,
    ],
    [
      'two apps on one port',
      { inbound: [INBOUND, { ...INBOUND, name: 'second', listen: '0.0.0.0:15007' }] },
      /inbound\.1\.app.*tunnels/,
    ],
    [
      'peers that plaintext could not prove',
      { outbound: [{ ...OUTBOUND, transport: 'unsafePlaintext' }] },
      /outbound\.0\.peers/,
    ],
    [
      'plaintext without a port for it',
      { inbound: [{ app: INBOUND.app, unsafePlaintext: true }] },
      /inbound\.0\.unsafePlaintext/,
    ],
    ['a name that is no label', { inbound: [{ ...INBOUND, name: 'My App' }] }, /name/],
    ['an address without a port', { inbound: [{ ...INBOUND, listen: '0.0.0.0' }] }, /host:port/],
    ['a protocol that is not spoken', { inbound: [{ ...INBOUND, protocol: 'udp' }] }, /protocol/],
    ['a key that does not exist', { inbound: [INBOUND], limit: {} }, /unknown key `limit`/],
    ['nothing to carry', {}, /nothing/],
  ];
  for (const [what, values, problem] of wrong) {
    it(`refuse ${what}`, () => {
      const problems = problemsOf({ ...(what === 'nothing to carry' ? {} : { inbound: [INBOUND] }), ...values });
      expect(problems.join('\n')).to.match(problem);
      expect(problems).to.have.length(1);
    });
  }

  it('report what listeners must be together in the same run in which one value is wrong by itself', () => {
    const problems = problemsOf({
      trustDomain: 'Cluster.Local',
      inbound: [
        INBOUND,
        { ...INBOUND, listen: 'nowhere', app: '127.0.0.1:8081' },
        { name: 'third', app: '10.0.0.1:80', listen: '[::]:15006' },
      ],
      admin: { listen: 15000 },
    });
    expect(problems.map((problem) => /`([\w.]+)`/.exec(problem)?.[1])).to.have.members([
      'trustDomain',
      'inbound.1.listen',
      'inbound.1.name',
      'inbound.2.app',
      'inbound.2.listen',
      'admin.listen',
    ]);
  });

  it('say nothing about a list that is none', () => {
    expect(problemsOf({ inbound: 7 })).to.have.length(1);
    expect(problemsOf({ inbound: [7], outbound: [] })).to.have.length(1);
  });

  it('let several listeners ask for any free port', () => {
    const any = [
      { ...INBOUND, listen: '127.0.0.1:0' },
      { ...INBOUND, name: 'second', listen: '127.0.0.1:0', app: '127.0.0.1:8081' },
    ];
    expect(problemsOf({ inbound: any })).to.deep.equal([]);
  });
});
