/**
 * Promise: a certificate can be had with curl and openssl alone, has exactly the fields that ARCHITECTURE names, and
 * is accepted under the published bundle by OpenSSL (strict), pkijs and @peculiar/x509, none of which know us.
 * Real parts: citadel as a process, curl, openssl.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { cacertsOf } from '../support/authority-folder.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { type OpensslCsr, opensslCsr } from '../support/openssl-csr.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { podFacts } from '../support/tokens.ts';
import { tool } from '../support/tool.ts';
import { opensslOpinion, opensslText, peculiarOpinion, pkijsOpinion } from '../support/x509-oracles.ts';

const ID = 'spiffe://cluster.local/ns/shop/sa/web';

interface Answer {
  readonly certificateChain: readonly string[];
  readonly trustBundle: readonly string[];
  readonly spiffeId: string;
  readonly notAfter: string;
  readonly renewAt: string;
  readonly serverTime: string;
  readonly receipt: { readonly entry: number; readonly serial: string };
}

describe('curl and openssl as clients of citadel', () => {
  let issuer: TestIssuer;
  let citadel: CitadelProcess;
  let own: OpensslCsr;
  let answer: Answer;
  before(async () => {
    issuer = await TestIssuer.start();
    citadel = await CitadelProcess.start({
      tokens: issuer,
      settings: { certificates: { defaultSeconds: 3600, minSeconds: 300, maxSeconds: 7200 } },
    });
    own = await opensslCsr({ key: 'EC P-256', extensions: [`subjectAltName = URI:${ID}`] });
    answer = (await fetched({ csr: own.csrPem })).answer;
  });
  after(async () => {
    await citadel?.[Symbol.asyncDispose]();
    issuer?.close();
  });

  /** `curl` with a token, verifying citadel by its root. The token goes by a file, as it would in a pod. */
  const fetched = async (body: object, path = '/v1/certificates'): Promise<{ status: number; answer: Answer }> => {
    const tokenFile = join(citadel.directory, 'authorization');
    await writeFile(tokenFile, `Authorization: Bearer ${issuer.token(podFacts())}`);
    const url = `https://127.0.0.1:${citadel.port}${path}`;
    const words = ['-sS', '--cacert', citadel.rootFile, '-H', `@${tokenFile}`, '-w', '\n%{http_code}'];
    const post = ['--json', '@-'];
    const { code, stdout, stderr } = await tool('curl', [...words, ...post, url], { input: JSON.stringify(body) });
    expect(code, stderr).to.equal(0);
    const [json = '', status] = [stdout.slice(0, stdout.lastIndexOf('\n')), stdout.slice(stdout.lastIndexOf('\n') + 1)];
    return { status: Number(status), answer: JSON.parse(json) as Answer };
  };
  const chainOf = ({ certificateChain }: Answer): Buffer[] => certificateChain.map(derOf);
  /** The roots as anybody gets them, without a token. */
  const publishedRoots = async (): Promise<Buffer[]> => {
    const { stdout } = await tool('curl', [
      '-sSf',
      '--cacert',
      citadel.rootFile,
      `https://127.0.0.1:${citadel.port}/v1/bundle`,
    ]);
    const { keys } = JSON.parse(stdout) as { keys: { use: string; x5c: string[] }[] };
    return keys.filter(({ use }) => use === 'x509-svid').map(({ x5c }) => Buffer.from(x5c[0]!, 'base64'));
  };

  it('get a certificate for the identity of the token, with all that belongs to it', () => {
    expect(answer).to.include({ spiffeId: ID });
    expect(answer.certificateChain).to.have.length(2);
    expect(answer.trustBundle).to.have.length(1);
    const [now, renewAt, end] = [answer.serverTime, answer.renewAt, answer.notAfter].map((time) => Date.parse(time));
    expect(end! - now!).to.be.within(3_590_000, 3_600_000);
    expect(renewAt! - now!).to.be.closeTo((end! - now!) / 2, 1500);
  });

  it('see exactly the fields that a leaf has, and no others', async () => {
    const text = await opensslText(chainOf(answer)[0]!);
    const { serial } = answer.receipt;
    expect(normalised(text)).to.deep.equal([
      'Certificate:',
      'Data:',
      'Version: 3 (0x2)',
      'Serial Number:',
      colons(serial),
      'Signature Algorithm: ecdsa-with-SHA256',
      lineIn(text, /Issuer: (?:O = \S+, )?CN = \S.*/),
      'Validity',
      lineIn(text, /Not Before: .* GMT/),
      lineIn(text, /Not After : .* GMT/),
      'Subject:',
      'Subject Public Key Info:',
      'Public Key Algorithm: id-ecPublicKey',
      'Public-Key: (256 bit)',
      'ASN1 OID: prime256v1',
      'NIST CURVE: P-256',
      'X509v3 extensions:',
      'X509v3 Basic Constraints: critical',
      'CA:FALSE',
      'X509v3 Key Usage: critical',
      'Digital Signature',
      'X509v3 Extended Key Usage:',
      'TLS Web Server Authentication, TLS Web Client Authentication',
      'X509v3 Subject Key Identifier:',
      'X509v3 Authority Key Identifier:',
      'X509v3 Subject Alternative Name: critical',
      `URI:${ID}`,
      'Signature Algorithm: ecdsa-with-SHA256',
      'Signature Value:',
    ]);
  });

  it('see a start one minute ago, so that clocks that are late accept it', async () => {
    const { stdout } = await tool('openssl', ['x509', '-noout', '-startdate', '-enddate'], {
      input: answer.certificateChain[0]!,
    });
    const [start, end] = Array.from(stdout.matchAll(/=(.*)/g), ([, date]) => Date.parse(date!));
    expect(Math.abs(start! + 60_000 - Date.parse(answer.serverTime))).to.be.below(1500);
    expect(end).to.equal(Date.parse(answer.notAfter));
  });

  it('see the key of the CSR in the certificate', async () => {
    const ofCertificate = await tool('openssl', ['x509', '-noout', '-pubkey'], { input: answer.certificateChain[0]! });
    const ofKey = await tool('openssl', ['pkey', '-pubout'], { input: own.keyPem });
    expect(ofCertificate.stdout).to.equal(ofKey.stdout);
  });

  for (const purpose of ['sslserver', 'sslclient'] as const) {
    it(`accept the chain under the published bundle: openssl verify -x509_strict -purpose ${purpose}`, async () => {
      const [root] = await publishedRoots();
      expect(await opensslOpinion(chainOf(answer), root!, purpose)).to.deep.equal({ accepts: true, reason: '' });
    });
  }

  it('accept the chain under the published bundle: pkijs and @peculiar/x509', async () => {
    const [root] = await publishedRoots();
    expect(await pkijsOpinion(chainOf(answer), root!)).to.include({ accepts: true });
    expect(await peculiarOpinion(chainOf(answer), root!)).to.deep.equal({ accepts: true, reason: '' });
  });

  it('would not accept a chain in which one bit is changed: the oracles can say no', async () => {
    const [root] = await publishedRoots();
    const [leaf, ...above] = chainOf(answer);
    const changed = Buffer.from(leaf!);
    changed[changed.length - 1]! ^= 1;
    const opinions = await Promise.all([
      opensslOpinion([changed, ...above], root!, 'sslclient'),
      pkijsOpinion([changed, ...above], root!),
      peculiarOpinion([changed, ...above], root!),
    ]);
    expect(opinions.map(({ accepts }) => accepts)).to.deep.equal([false, false, false]);
  });

  it('get the same roots with the certificate as anybody gets without a token', async () => {
    expect(answer.trustBundle.map(derOf)).to.deep.equal(await publishedRoots());
    expect(await readFile(citadel.rootFile, 'utf8')).to.equal(answer.trustBundle.join(''));
  });

  it('get serials that nobody can guess or count', async () => {
    const others = await Promise.all([1, 2, 3].map(() => fetched({ csr: own.csrPem })));
    const serials = [answer, ...others.map((other) => other.answer)].map(({ receipt }) => receipt.serial);
    expect(new Set(serials).size).to.equal(4);
    for (const serial of serials) expect(serial).to.match(/^[4-7][0-9a-f]{31}$/);
    // Behind the time, which stands in the certificate anyway, there is no counter and no fixed part.
    for (const at of [8, 16, 24]) expect(new Set(serials.map((serial) => serial.slice(at, at + 8))).size).to.equal(4);
  });

  it('get a shorter or longer life when they ask for it', async () => {
    for (const ttlSeconds of [300, 7200]) {
      const { answer: short } = await fetched({ csr: own.csrPem, ttlSeconds });
      expect(Date.parse(short.notAfter) - Date.parse(short.serverTime)).to.be.within(
        (ttlSeconds - 2) * 1000,
        ttlSeconds * 1000,
      );
    }
  });

  for (const ttlSeconds of [299, 7201, 0, -1]) {
    it(`get no certificate of ${ttlSeconds} s: what they get is what they asked for, or nothing`, async () => {
      const { status, answer: problem } = await fetched({ csr: own.csrPem, ttlSeconds });
      expect([status, problem]).to.deep.equal([400, problemOf('lifetime_out_of_policy', 400, problem)]);
    });
  }

  it('read a refusal as problem details', async () => {
    const { status, answer: problem } = await fetched({ csr: own.csrPem, extra: true });
    expect([status, problem]).to.deep.equal([400, problemOf('request_malformed', 400, problem)]);
  });
});

describe('a certificate under a plugged-in authority that ends soon', () => {
  it('ends with its issuer when more was asked for, and is accepted by the oracles', async () => {
    const issuer = await TestIssuer.start();
    await using citadel = await CitadelProcess.planned({ tokens: issuer });
    const soon = Math.floor(Date.now() / 1000) * 1000 + 1_200_000;
    const root = createTestAuthority({ trustDomain: 'cluster.local' });
    const signing = root.intermediate({ notAfter: soon });
    for (const [name, content] of Object.entries(cacertsOf(signing))) {
      await writeFile(join(citadel.authorityDirectory, name), content, { mode: 0o600 });
    }
    try {
      await citadel.start();
      await citadel.ready();
      const client = await citadel.client();
      const { json, text } = await client.certificate(issuer.token(), freshCsr(), { ttlSeconds: 7200 });
      expect(Date.parse(String(json?.['notAfter'])), text).to.equal(soon);
      const chain = (json!['certificateChain'] as string[]).map(derOf);
      expect(await opensslOpinion(chain, root.der, 'sslclient')).to.deep.equal({ accepts: true, reason: '' });
      expect(await pkijsOpinion(chain, root.der)).to.include({ accepts: true });
    } finally {
      issuer.close();
    }
  });
});

/** RFC 9457: the fields and no more; the title is for people. */
function problemOf(code: string, status: number, seen: unknown): object {
  const { title } = seen as { title?: unknown };
  expect(title).to.be.a('string').and.match(/\.$/);
  return { type: `urn:sallyport:refusal:${code}`, title, status, code };
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
}

/** The lines of `openssl x509 -text`, without those that hold nothing but key, identifier or signature bytes. */
function normalised(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const serialAt = lines.indexOf('Serial Number:') + 1;
  return lines.filter(
    (line, at) => line !== '' && line !== 'pub:' && (at === serialAt || !/^(?:[0-9A-F]{2}:?)+$/i.test(line)),
  );
}

function colons(hex: string): string {
  return (hex.match(/../g) ?? []).join(':');
}

/** The one line that fits, whatever its date or name; a failure when there is none. */
function lineIn(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[0];
  expect(found, String(pattern)).to.be.a('string');
  return found!;
}
