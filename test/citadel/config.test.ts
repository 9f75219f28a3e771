/** The settings of citadel: every problem at once, each with the place to fix it, and nothing that is half applied. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { CITADEL_SETTINGS, type CitadelSettings } from '../../citadel/config.ts';
import { loadSettings, SettingsProblems } from '../../shared/config/load-settings.ts';
import { printSettings } from '../../shared/config/print-settings.ts';
import { settingsKeys } from '../../shared/config/settings.ts';

describe('the settings of citadel', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'citadel-config-'));
    file = join(folder, 'citadel.yaml');
  });
  after(() => rmSync(folder, { recursive: true }));

  const load = (text: string, environment: Record<string, string> = {}): CitadelSettings => {
    writeFileSync(file, text);
    return loadSettings(CITADEL_SETTINGS, { file, environment });
  };
  const problems = (text: string, environment: Record<string, string> = {}): readonly string[] => {
    try {
      load(text, environment);
    } catch (error) {
      if (error instanceof SettingsProblems) return error.problems;
      throw error;
    }
    return [];
  };

  it('has a default for everything', () => {
    const settings = load('');
    expect(settings.trustDomain).to.equal('cluster.local');
    expect(settings.certificates).to.deep.equal({
      defaultSeconds: 3600,
      minSeconds: 300,
      maxSeconds: 86_400,
      backdateSeconds: 60,
    });
    expect(settings.attestation).to.include({ mode: 'token-review', audience: 'citadel', replay: 'flag' });
  });

  it('describes every key, with its unit where it has one', () => {
    for (const { path, description, kind } of settingsKeys(CITADEL_SETTINGS)) {
      expect(description, path.join('.')).to.match(/\S.{10,}\.$/);
      if (kind === 'number' && /Seconds$/.test(path.at(-1)!)) expect(description, path.join('.')).to.match(/seconds/i);
      if (kind === 'number' && /Bytes$/.test(path.at(-1)!)) expect(description, path.join('.')).to.match(/bytes/i);
    }
  });

  it('reports all problems at once, each with its line or variable', () => {
    const text = [
      'trustDomain: Not A Domain',
      'api:',
      '  listen: nowhere',
      '  ports: 7',
      'limits:',
      '  bodyBytes: 1',
      'unheardOf: true',
    ].join('\n');
    const found = problems(text, {
      CITADEL__LOG__LEVEL: 'loud',
      CITADEL__LOG__COLOUR: 'red',
      CITADEL_SERVICE_HOST: '10.0.0.1',
    });
    const places = found.map((problem) => problem.replace(`${file}:`, '').split(': ')[0]);
    expect(places).to.have.members([
      '1',
      '3',
      '4',
      '6',
      '7',
      'environment CITADEL__LOG__LEVEL',
      'environment CITADEL__LOG__COLOUR',
    ]);
  });

  const BROKEN: readonly (readonly [string, string, string])[] = [
    [
      'a shortest lifetime above the longest',
      'certificates: {minSeconds: 600, maxSeconds: 500, defaultSeconds: 500}',
      'certificates.minSeconds',
    ],
    ['a default lifetime above the longest', 'certificates: {defaultSeconds: 90000}', 'certificates.defaultSeconds'],
    ['oidc without an issuer', 'attestation: {mode: oidc}', 'attestation.oidc.issuer'],
    ['both without an issuer', 'attestation: {mode: both}', 'attestation.oidc.issuer'],
    [
      'an issuer over plain HTTP',
      'attestation: {mode: oidc, oidc: {issuer: "http://127.0.0.1:1"}}',
      'attestation.oidc.issuer',
    ],
    [
      'keys over plain HTTP',
      'attestation: {mode: oidc, oidc: {issuer: "https://a.test", jwksUrl: "http://a.test/keys"}}',
      'attestation.oidc.jwksUrl',
    ],
    [
      'a dev issuer beside an API server',
      'attestation: {mode: both, oidc: {issuer: "http://127.0.0.1:1", unsafeDevIssuer: true}}',
      'attestation.oidc.unsafeDevIssuer',
    ],
    ['a header limit too small for a token', 'limits: {headerBytes: 8192}', 'limits.headerBytes'],
    [
      'a cache that outlives a pod by far',
      'attestation: {tokenReview: {cacheSeconds: 60}}',
      'attestation.tokenReview.cacheSeconds',
    ],
    ['a lifetime under five seconds', 'certificates: {minSeconds: 1}', 'certificates.minSeconds'],
    ['a replay rule nobody knows', 'attestation: {replay: ignore}', 'attestation.replay'],
    ['a name that is none', 'api: {names: ["a b"]}', 'api.names.0'],
    ['an address with a part too many', 'api: {names: ["1.2.3.4.5"]}', 'api.names.0'],
    ['an address that is half one', 'api: {names: [":::"]}', 'api.names.0'],
    ['an asterisk alone', 'api: {names: ["*"]}', 'api.names.0'],
    ['an empty label', 'api: {names: ["a..b"]}', 'api.names.0'],
    ['a namespace of its own that fits no SPIFFE ID', 'api: {spiffeNamespace: "a b"}', 'api.spiffeNamespace'],
    ['a service account of its own that climbs', 'api: {spiffeServiceAccount: ".."}', 'api.spiffeServiceAccount'],
    [
      'an issuer with a password',
      'attestation: {mode: oidc, oidc: {issuer: "https://u:p@a.test"}}',
      'attestation.oidc.issuer',
    ],
    [
      'keys behind a fragment',
      'attestation: {mode: oidc, oidc: {issuer: "https://a.test", jwksUrl: "https://a.test/k#1"}}',
      'attestation.oidc.jwksUrl',
    ],
  ];
  for (const [what, text, key] of BROKEN) {
    it(`refuses ${what}`, () => {
      const found = problems(text);
      expect(found).to.have.length(1);
      expect(found[0]).to.include(`${file}:1: \`${key}\``);
    });
  }

  it('reports what values must be together in the same run in which one value is wrong by itself', () => {
    const found = problems(
      [
        'trustDomain: Not A Domain',
        'certificates: {minSeconds: 600, maxSeconds: 500, defaultSeconds: 500}',
        'attestation: {mode: oidc}',
        'limits: {headerSeconds: many, requestSeconds: 1}',
      ].join('\n'),
    );
    expect(found.map((problem) => /`([\w.]+)`/.exec(problem)?.[1])).to.have.members([
      'trustDomain',
      'certificates.minSeconds',
      'attestation.oidc.issuer',
      'limits.headerSeconds',
    ]);
  });

  it('says nothing about values together while one of them is wrong by itself', () => {
    for (const text of [
      'certificates: {maxSeconds: long}',
      'certificates: 7',
      'attestation: {mode: oidc, oidc: {issuer: nowhere}}',
      'attestation: {mode: magic}',
      'attestation: {mode: oidc, oidc: none}',
    ])
      expect(problems(text), text).to.have.length(1);
  });

  it('takes a dev issuer over plain HTTP only when it is named as unsafe', () => {
    const { attestation } = load(
      'attestation: {mode: oidc, oidc: {issuer: "http://127.0.0.1:1", unsafeDevIssuer: true}}',
    );
    expect(attestation.oidc.unsafeDevIssuer).to.equal(true);
  });

  it('takes every kind of name that a client may look for', () => {
    const names = ['citadel', 'citadel.ns.svc', '*.example.test', 'a_b.test', '10.0.0.1', '::1', '::ffff:10.0.0.1'];
    expect(load(`api: {names: ${JSON.stringify(names)}}`).api.names).to.deep.equal(names);
  });

  it('prints what can be read back to the same settings', () => {
    const settings = load(
      'trustDomain: shop.example\napi: {names: [a.test, "::1"]}\nlimits: {requestsPerSecondPerPod: 0.5}',
      { CITADEL__JOURNAL__FILE: '/data/j.sqlite' },
    );
    const printed = printSettings(CITADEL_SETTINGS, settings);
    expect(parse(printed)).to.deep.include({ trustDomain: 'shop.example', journal: { file: '/data/j.sqlite' } });
    expect(load(printed)).to.deep.equal(settings);
  });
});
