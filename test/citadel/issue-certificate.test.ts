import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Attested } from '../../citadel/attest/attestor.ts';
import { ReplayWindow, type Sighting } from '../../citadel/attest/replay-window.ts';
import type { Authority } from '../../citadel/authority/authority.ts';
import { createAuthority } from '../../citadel/authority/authority.ts';
import { type CertificateRequest, type IssuingSteps, issueCertificate } from '../../citadel/issue-certificate.ts';
import { type Journal, openJournal } from '../../citadel/ledger/journal.ts';
import { systemRandomness } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { silentLog } from '../../shared/log/log.ts';
import { readCertificate } from '../../shared/x509/certificate.ts';
import { parseCsr } from '../../shared/x509/csr.ts';
import { decodePem } from '../../shared/x509/pem.ts';
import { anchorsOf } from '../../shared/x509/trust-anchors.ts';
import { verifySvid } from '../../shared/x509/verify-svid.ts';
import { materialOf } from '../support/authority-material.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { refusalCodeOf, refusalOf } from '../support/refusals.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { makeKeys } from '../support/test-certificate.ts';
import { testCsrPem } from '../support/test-csr.ts';

const NOW = Date.UTC(2026, 5, 1, 12, 0, 0, 400);
const SECOND = Math.floor(NOW / 1000) * 1000;
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const ORDERS = 'spiffe://cluster.local/ns/shop/sa/orders';
const ATTESTED: Attested = {
  method: 'oidc',
  namespace: 'shop',
  serviceAccount: 'web',
  serviceAccountUid: 'sa-uid',
  podName: 'web-1',
  podUid: 'pod-uid',
  nodeName: 'node-1',
  tokenId: 'jti-1',
  tokenExpiresAt: NOW + 3_600_000,
};

describe('issuing a certificate', () => {
  let folder: string;
  let journal: Journal;
  let replays: ReplayWindow;
  let authority: Authority;
  const clock = new FakeClock(NOW);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'issuing-'));
    journal = openJournal({ file: join(folder, 'journal.db'), clock, log: silentLog });
    replays = new ReplayWindow({ clock });
    const dates = { notBefore: NOW - 60_000, notAfter: NOW + 86_400_000 };
    const intermediate = createTestAuthority({ trustDomain: 'cluster.local', ...dates }).intermediate(dates);
    authority = createAuthority(materialOf(intermediate), 'cluster.local', 1, systemRandomness);
  });

  afterEach(async () => {
    journal.close();
    await rm(folder, { recursive: true });
  });

  const steps = (more: Partial<IssuingSteps> = {}): IssuingSteps => ({
    clock,
    policy: {
      trustDomain: 'cluster.local',
      defaultSeconds: 3600,
      minSeconds: 300,
      maxSeconds: 86_400,
      backdateSeconds: 60,
    },
    attest: async () => ATTESTED,
    noticeUse(sighting: Sighting) {
      const verdict = replays.see(sighting);
      if (verdict !== 'new' && verdict !== 'known') throw new Refusal(verdict);
    },
    authority: () => authority,
    record: (entry) => journal.append(entry),
    ...more,
  });
  const request = (more: Partial<CertificateRequest> = {}): CertificateRequest => ({
    token: 'the token',
    csrPem: testCsrPem(),
    address: '10.0.0.7',
    requestId: 'request-1',
    ...more,
  });
  const issue = (
    asked: Partial<CertificateRequest> = {},
    parts: Partial<IssuingSteps> = {},
    signal = new AbortController().signal,
  ): ReturnType<typeof issueCertificate> => issueCertificate(steps(parts), request(asked), signal);

  it('answers with a chain that a peer accepts, the bundle and the dates', async () => {
    const issued = await issue();
    const chain = issued.certificateChain.map((pem) => decodePem(pem, 'CERTIFICATE', 1)[0]!);
    const verified = verifySvid(chain, anchorsOf([authority.bundle]), NOW);
    expect(verified.spiffeId.uri).to.equal(WEB).and.to.equal(issued.spiffeId);
    expect(chain).to.have.length(2);
    expect([issued.notBefore, issued.notAfter]).to.deep.equal([SECOND - 60_000, SECOND + 3_600_000]);
    expect([verified.leaf.notBefore, verified.leaf.notAfter]).to.deep.equal([issued.notBefore, issued.notAfter]);
    expect(issued.renewAt).to.be.closeTo(NOW + 1_800_000, 1000);
    expect(issued.trustBundle).to.equal(authority.rootPem);
    expect(issued.attested).to.equal(ATTESTED);
  });

  it('has written down what it hands out, under the receipt’s number', async () => {
    const csrPem = testCsrPem({ uris: [WEB] });
    const { certificateChain, receipt } = await issue({ csrPem });
    const leaf = readCertificate(decodePem(certificateChain[0]!, 'CERTIFICATE')[0]!);
    expect(receipt).to.deep.equal({ entry: 1, serial: leaf.serial });
    expect(journal.find(leaf.serial)).to.deep.equal({
      serial: leaf.serial,
      spiffeId: WEB,
      podUid: 'pod-uid',
      podName: 'web-1',
      namespace: 'shop',
      serviceAccount: 'web',
      nodeName: 'node-1',
      tokenId: 'jti-1',
      keyFingerprint: parseCsr(decodePem(csrPem, 'CERTIFICATE REQUEST')[0]!).keyFingerprint,
      certificateHash: leaf.fingerprint,
      notBefore: leaf.notBefore,
      notAfter: leaf.notAfter,
      recordedAt: NOW,
      requestId: 'request-1',
      decision: 'issued',
    });
  });

  it('does not answer before the entry is durable', async () => {
    let release: (number: number) => void = () => {};
    const durable = new Promise<number>((resolve) => {
      release = resolve;
    });
    let answered = false;
    const answer = issue({}, { record: () => durable }).then(() => {
      answered = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).to.equal(false);
    release(7);
    await answer;
  });

  it('takes the identity from the token whatever the CSR says', async () => {
    expect(await refusalCodeOf(issue({ csrPem: testCsrPem({ uris: [ORDERS] }) }))).to.equal('csr_identity_mismatch');
    expect((await issue({}, { attest: async () => ({ ...ATTESTED, serviceAccount: 'orders' }) })).spiffeId).to.equal(
      ORDERS,
    );
  });

  it('signs, and counts as a use of the token, nothing that did not prove its key', async () => {
    const sightings: Sighting[] = [];
    const signed: unknown[] = [];
    const signLeaf: Authority['signLeaf'] = (leaf) => {
      signed.push(leaf);
      return authority.signLeaf(leaf);
    };
    const watching: Partial<IssuingSteps> = {
      noticeUse: (sighting) => sightings.push(sighting),
      authority: () => ({ ...authority, signLeaf }),
    };
    const stolen = testCsrPem({ signedBy: makeKeys().privateKey });
    expect(await refusalCodeOf(issue({ csrPem: stolen }, watching))).to.equal('csr_signature_invalid');
    expect([sightings, signed, journal.count()]).to.deep.equal([[], [], 0]);
  });

  it('issues to a sidecar that renews with a fresh key, and refuses a token used elsewhere', async () => {
    await issue();
    await issue();
    expect(await refusalCodeOf(issue({ address: '10.0.0.8' }))).to.equal('token_replayed');
    expect(journal.count()).to.equal(2);
  });

  it('hands out nothing when the journal cannot write', async () => {
    const record = async (): Promise<number> => {
      throw new Refusal('journal_unavailable');
    };
    expect(await refusalCodeOf(issue({}, { record }))).to.equal('journal_unavailable');
  });

  it('passes on what the attestor refuses, and asks nobody else then', async () => {
    const attest = async (): Promise<Attested> => {
      throw new Refusal('token_expired');
    };
    const untouched = (): never => expect.fail('went on');
    expect(
      await refusalCodeOf(issue({}, { attest, authority: untouched, noticeUse: untouched, record: untouched })),
    ).to.equal('token_expired');
  });

  it('stops when the caller is gone after attestation', async () => {
    const gone = new AbortController();
    const attest = async (): Promise<Attested> => {
      gone.abort(new Refusal('request_timeout'));
      return ATTESTED;
    };
    expect(await refusalCodeOf(issue({}, { attest }, gone.signal))).to.equal('request_timeout');
    expect(journal.count()).to.equal(0);
  });

  it('uses one authority for one request, though it is exchanged meanwhile', async () => {
    const next = createAuthority(
      materialOf(createTestAuthority({ trustDomain: 'cluster.local', notBefore: NOW, notAfter: NOW + 86_400_000 })),
      'cluster.local',
      2,
      systemRandomness,
    );
    const states = [authority, next];
    const issued = await issue({}, { authority: () => states.shift() ?? next });
    const chain = issued.certificateChain.map((pem) => decodePem(pem, 'CERTIFICATE', 1)[0]!);
    expect(verifySvid(chain, anchorsOf([authority.bundle]), NOW).spiffeId.uri).to.equal(WEB);
    expect(issued.trustBundle).to.equal(authority.rootPem);
  });

  it('refuses near the end of its authority instead of issuing less than the minimum', async () => {
    const dates = { notBefore: NOW - 60_000, notAfter: NOW + 200_000 };
    const ending = createAuthority(
      materialOf(createTestAuthority({ trustDomain: 'cluster.local', ...dates })),
      'cluster.local',
      1,
      systemRandomness,
    );
    expect(await refusalCodeOf(issue({}, { authority: () => ending }))).to.equal('authority_expired');
  });

  describe('keeps back, unrecorded, a certificate that', () => {
    const elsewhere = createTestAuthority({
      trustDomain: 'cluster.local',
      notBefore: NOW - 60_000,
      notAfter: NOW + 86_400_000,
    });
    const other = createAuthority(materialOf(elsewhere), 'cluster.local', 1, systemRandomness);
    type Sign = Authority['signLeaf'];
    const cases: readonly [string, RegExp, (sign: Sign) => Sign][] = [
      ['is signed by another key', /peer_untrusted/, () => other.signLeaf],
      [
        'has a damaged signature',
        /peer_(untrusted|certificate_malformed)/,
        (sign) => (leaf) => {
          const signed = sign(leaf);
          signed.der[signed.der.length - 1]! ^= 1;
          return signed;
        },
      ],
      [
        'is no certificate',
        /peer_certificate_malformed/,
        () => () => ({ der: Buffer.from('30030101ff', 'hex'), serial: '01' }),
      ],
      ['has another name', /not what was granted/, (sign) => (leaf) => sign({ ...leaf, spiffeId: ORDERS })],
      [
        'has another key',
        /not what was granted/,
        (sign) => (leaf) => sign({ ...leaf, spki: elsewhere.keys.publicKey.export({ type: 'spki', format: 'der' }) }),
      ],
      ['lives longer', /not what was granted/, (sign) => (leaf) => sign({ ...leaf, notAfter: leaf.notAfter + 1000 })],
      [
        'starts earlier',
        /not what was granted/,
        (sign) => (leaf) => sign({ ...leaf, notBefore: leaf.notBefore - 1000 }),
      ],
      [
        'has another serial than it is recorded under',
        /not what was granted/,
        (sign) => (leaf) => ({ ...sign(leaf), serial: '41' }),
      ],
      [
        'is for no workload',
        /peer_spiffe_id_root/,
        (sign) => (leaf) => sign({ ...leaf, spiffeId: 'spiffe://cluster.local' }),
      ],
    ];
    for (const [what, detail, tamper] of cases) {
      it(what, async () => {
        const parts: Partial<IssuingSteps> = {
          authority: () => ({ ...authority, signLeaf: tamper(authority.signLeaf) }),
        };
        const refusal = await refusalOf(issue({}, parts));
        expect(refusal.code).to.equal('certificate_self_check_failed');
        expect(refusal.detail).to.match(detail);
        expect(journal.count()).to.equal(0);
      });
    }
  });
});
