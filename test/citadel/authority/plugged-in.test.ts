import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { expect } from 'chai';
import { isOpenToOthers } from '../../../citadel/authority/authority-files.ts';
import { openAuthority } from '../../../citadel/authority/open-authority.ts';
import { systemClock } from '../../../shared/clock/clock.ts';
import { decodePem, encodePem } from '../../../shared/x509/pem.ts';
import { anchorsOf } from '../../../shared/x509/trust-anchors.ts';
import { verifySvid } from '../../../shared/x509/verify-svid.ts';
import { AuthorityFolder, cacertsOf, keyPemOf, tlsSecretOf } from '../../support/authority-folder.ts';
import { refusalOf } from '../../support/refusals.ts';
import { createTestAuthority, type TestAuthority, type TestAuthorityOptions } from '../../support/test-authority.ts';
import { makeKeys, spkiOf, USAGE } from '../../support/test-certificate.ts';
import { testCsrPem } from '../../support/test-csr.ts';

type Files = Record<string, string>;

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const HOUR = 3_600_000;
const NOW = Math.floor(systemClock.now() / 1000) * 1000;

const root = (options: Partial<TestAuthorityOptions> = {}): TestAuthority =>
  createTestAuthority({ trustDomain: 'cluster.local', ...options });
const below = (options: Parameters<TestAuthority['intermediate']>[0] = {}): TestAuthority =>
  root().intermediate(options);

/** Opens the folder and has a leaf verified against what the folder's bundle says. @returns how many certificates the leaf's chain has */
async function issuesFrom(files: Files): Promise<number> {
  await using folder = await AuthorityFolder.create(files);
  const keeper = await openAuthority(folder.options());
  const authority = keeper.current();
  const { der } = authority.signLeaf({
    spki: spkiOf(makeKeys().publicKey),
    spiffeId: WEB,
    notBefore: NOW - 60_000,
    notAfter: NOW + HOUR / 2,
  });
  const chain = [der, ...authority.chainPem.flatMap((pem) => decodePem(pem, 'CERTIFICATE'))];
  verifySvid(chain, anchorsOf([authority.bundle]), NOW);
  return chain.length;
}

describe('a plugged-in authority', () => {
  describe('issues when it comes', () => {
    const signing = below();
    const cacerts = cacertsOf(signing);
    const deep = root().intermediate();
    const deeper = deep.intermediate();
    const single = root();
    const cases: readonly [string, number, () => Files][] = [
      ['in Istio’s shape', 2, () => cacerts],
      ['with RSA keys', 2, () => cacertsOf(root({ keyType: 'RSA-2048' }).intermediate({ keyType: 'RSA-2048' }))],
      ['with a P-384 key', 2, () => cacertsOf(below({ keyType: 'P-384' }))],
      ['with its path in cert-chain.pem, signing certificate and root repeated', 3, () => cacertsOf(deeper, [deep])],
      ['with only the root in cert-chain.pem', 2, () => ({ ...cacerts, 'cert-chain.pem': signing.rootPem })],
      ['as a root that signs itself, cert-chain.pem empty', 1, () => ({ ...cacertsOf(single), 'cert-chain.pem': '' })],
      ['with a second root in the bundle', 2, () => ({ ...cacerts, 'root-cert.pem': signing.rootPem + root().pem })],
      ['with a PKCS#1 key', 2, () => pkcs1()],
      ['as a kubernetes.io/tls secret', 2, () => tlsSecretOf(signing)],
      ['as a tls secret without ca.crt, its root at the end of tls.crt', 2, () => withoutRoots(signing)],
      ['with a path length that just fits', 3, () => cacertsOf(...pathOfTwo(2, 0))],
    ];
    for (const [how, certificates, files] of cases) {
      it(how, async () => expect(await issuesFrom(files())).to.equal(certificates));
    }
  });

  describe('is refused, naming the file, and nothing is touched', () => {
    const good = cacertsOf(below());
    const { 'ca-cert.pem': _, ...noCertificate } = good;
    const cases: readonly [string, string, string, () => Files][] = [
      ['without ca-cert.pem', 'authority_incomplete', 'ca-key.pem', () => noCertificate],
      ['with ca-key.pem alone', 'authority_incomplete', 'ca-key.pem', () => ({ 'ca-key.pem': good['ca-key.pem']! })],
      [
        'with root-key.pem alone',
        'authority_incomplete',
        'root-key.pem',
        () => ({ 'root-key.pem': good['ca-key.pem']! }),
      ],
      ['with tls.crt alone', 'authority_incomplete', 'tls.crt', () => ({ 'tls.crt': good['ca-cert.pem']! })],
      ['in two shapes at once', 'authority_incomplete', 'tls.crt', () => ({ ...good, ...tlsSecretOf(below()) })],
      [
        'with garbage for a certificate',
        'authority_malformed',
        'ca-cert.pem',
        () => ({ ...good, 'ca-cert.pem': 'hello' }),
      ],
      [
        'with a CSR for a certificate',
        'authority_malformed',
        'ca-cert.pem',
        () => ({ ...good, 'ca-cert.pem': testCsrPem() }),
      ],
      [
        'with garbage in the chain',
        'authority_malformed',
        'cert-chain.pem',
        () => ({ ...good, 'cert-chain.pem': 'x' }),
      ],
      ['with an empty root file', 'authority_malformed', 'root-cert.pem', () => ({ ...good, 'root-cert.pem': '' })],
      [
        'with a truncated certificate',
        'authority_malformed',
        'root-cert.pem',
        () => ({ ...good, 'root-cert.pem': truncated(good['root-cert.pem']!) }),
      ],
      ['with garbage for a key', 'authority_malformed', 'ca-key.pem', () => ({ ...good, 'ca-key.pem': 'hello' })],
      [
        'with an encrypted key',
        'authority_malformed',
        'ca-key.pem: the key is encrypted',
        () => ({ ...good, 'ca-key.pem': encryptedKey() }),
      ],
      [
        'with another key',
        'authority_key_mismatch',
        'ca-key.pem',
        () => ({ ...good, 'ca-key.pem': keyPemOf({ keys: makeKeys() }) }),
      ],
      ['with a key of P-521', 'authority_key_unsupported', 'ca-cert.pem', () => cacertsOf(below({ keyType: 'P-521' }))],
      [
        'with a key of Ed25519',
        'authority_key_unsupported',
        'ca-cert.pem',
        () => cacertsOf(below({ keyType: 'Ed25519' })),
      ],
      [
        'with a key of RSA-1024',
        'authority_key_unsupported',
        'ca-cert.pem',
        () => cacertsOf(below({ keyType: 'RSA-1024' })),
      ],
      ['signing with a leaf', 'authority_not_ca', 'ca-cert.pem', () => cacertsOf(below({ ca: false }))],
      [
        'signing without keyCertSign',
        'authority_not_ca',
        'ca-cert.pem',
        () => cacertsOf(below({ keyUsage: [USAGE.digitalSignature] })),
      ],
      [
        'under a root that is no authority',
        'authority_not_ca',
        'root-cert.pem',
        () => cacertsOf(root({ ca: false }).intermediate()),
      ],
      ['expired', 'authority_out_of_date', 'ca-cert.pem', () => cacertsOf(below({ notAfter: NOW - 1000 }))],
      ['not valid yet', 'authority_out_of_date', 'ca-cert.pem', () => cacertsOf(below({ notBefore: NOW + HOUR }))],
      [
        'under an expired root',
        'authority_out_of_date',
        'root-cert.pem',
        () => cacertsOf(root({ notAfter: NOW - 1000 }).intermediate()),
      ],
      [
        'under another root',
        'authority_chain_invalid',
        'cert-chain.pem',
        () => ({ ...good, 'root-cert.pem': root({ subject: 'other' }).pem }),
      ],
      [
        'under a root of the same name',
        'authority_chain_invalid',
        'cert-chain.pem',
        () => ({ ...good, 'root-cert.pem': root().pem }),
      ],
      [
        'with a link of the chain missing',
        'authority_chain_invalid',
        'cert-chain.pem',
        () => cacertsOf(below().intermediate()),
      ],
      ['with a path that is too long', 'authority_chain_invalid', 'path length', () => cacertsOf(...pathOfTwo(1, 0))],
      [
        'for names of another trust domain',
        'authority_chain_invalid',
        'peer_name_not_permitted',
        () => cacertsOf(below({ nameConstraints: { permitted: ['other.test'] } })),
      ],
      [
        'with the ID of another trust domain',
        'authority_trust_domain_mismatch',
        'ca-cert.pem',
        () => cacertsOf(below({ uris: ['spiffe://other.test'] })),
      ],
      [
        'with the ID of a workload',
        'authority_trust_domain_mismatch',
        'ca-cert.pem',
        () => cacertsOf(below({ uris: [WEB] })),
      ],
      [
        'when only our own verifier objects',
        'authority_chain_invalid',
        'pkijs: valid',
        () => cacertsOf(below({ keyUsageCritical: false })),
      ],
    ];
    for (const [how, code, detail, files] of cases) {
      it(`${how}: ${code}`, async () => {
        await using folder = await AuthorityFolder.create(files());
        const before = await folder.snapshot();
        const refusal = await refusalOf(openAuthority(folder.options()));
        expect(refusal.code).to.equal(code);
        expect(refusal.detail).to.contain(detail);
        expect(refusal.detail).not.to.match(/BEGIN|MII/);
        expect(await folder.snapshot()).to.deep.equal(before);
      });
    }

    it('with a folder where a file should be: file_unreadable', async () => {
      await using folder = await AuthorityFolder.create(good);
      await rm(folder.file('root-cert.pem'));
      await mkdir(folder.file('root-cert.pem'));
      expect(await refusalOf(openAuthority(folder.options()))).to.include({ code: 'file_unreadable' });
    });

    for (const mode of [0o644, 0o640, 0o604, 0o620]) {
      it(`with a key of mode 0${mode.toString(8)}: file_permissions_open`, async () => {
        const { 'ca-key.pem': key, ...others } = good;
        await using folder = await AuthorityFolder.create(others);
        await folder.put({ 'ca-key.pem': key! }, mode);
        await chmod(folder.file('ca-key.pem'), mode); // the umask may have taken bits away
        const refusal = await refusalOf(openAuthority(folder.options()));
        expect(refusal.code).to.equal('file_permissions_open');
        expect(refusal.detail).to.contain('ca-key.pem');
      });
    }
  });

  it('is not renewed or completed by citadel: nothing but the number of its bundle is added to the folder', async () => {
    await using folder = await AuthorityFolder.create(cacertsOf(below()));
    await openAuthority(folder.options());
    expect((await readdir(folder.path)).sort()).to.deep.equal([
      'authority.lock',
      'bundle-sequence.json',
      'ca-cert.pem',
      'ca-key.pem',
      'cert-chain.pem',
      'root-cert.pem',
    ]);
  });
});

describe('who may read a key', () => {
  const ROOT = 0;
  const US = 1000;
  it('is its owner', () => {
    expect([0o600, 0o400].map((mode) => isOpenToOthers(mode, US, US))).to.deep.equal([false, false]);
    expect([0o640, 0o644, 0o660, 0o604].map((mode) => isOpenToOthers(mode, US, US))).to.deep.equal([
      true,
      true,
      true,
      true,
    ]);
  });
  it('is our group when root owns it and we are not root, as in a mounted secret with fsGroup', () => {
    expect([0o440, 0o640].map((mode) => isOpenToOthers(mode, ROOT, US))).to.deep.equal([false, false]);
    expect([0o444, 0o660, 0o644].map((mode) => isOpenToOthers(mode, ROOT, US))).to.deep.equal([true, true, true]);
    expect(isOpenToOthers(0o440, ROOT, ROOT)).to.equal(true);
  });
});

function pathOfTwo(rootLength: number, lowestLength: number): [TestAuthority, TestAuthority[]] {
  const upper = root({ pathLength: rootLength }).intermediate();
  return [upper.intermediate({ pathLength: lowestLength }), [upper]];
}

function withoutRoots(signing: TestAuthority): Files {
  const { 'tls.key': key } = tlsSecretOf(signing);
  return { 'tls.crt': signing.pem + signing.rootPem, 'tls.key': key! };
}

function pkcs1(): Files {
  const signing = below({ keyType: 'RSA-2048' });
  return {
    ...cacertsOf(signing),
    'ca-key.pem': signing.keys.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  };
}

function encryptedKey(): string {
  const { privateKey } = makeKeys();
  return privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }).toString();
}

function truncated(pem: string): string {
  const [der] = decodePem(pem, 'CERTIFICATE');
  return encodePem('CERTIFICATE', der!.subarray(0, -5));
}
