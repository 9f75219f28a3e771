import { spawn } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { expect } from 'chai';
import { openAuthority } from '../../../citadel/authority/open-authority.ts';
import { systemClock } from '../../../shared/clock/clock.ts';
import { decodePem, encodePem } from '../../../shared/x509/pem.ts';
import { AuthorityFolder } from '../../support/authority-folder.ts';
import { refusalCodeOf } from '../../support/refusals.ts';
import { tool } from '../../support/tool.ts';
import { opensslOpinion, opensslText, pkijsOpinion } from '../../support/x509-oracles.ts';

const DAY = 86_400_000;
const NOW = Math.floor(systemClock.now() / 1000) * 1000;
const FILES = ['ca-cert.pem', 'ca-key.pem', 'cert-chain.pem', 'root-cert.pem', 'root-key.pem'];

const rootOf = async (folder: AuthorityFolder): Promise<string> =>
  (await openAuthority(folder.options())).current().rootPem.join('');

describe('an authority on its first start', () => {
  it('is a root of ten years and an intermediate of thirty days, in files that only their owner reads', async () => {
    await using folder = await AuthorityFolder.create();
    await openAuthority(folder.options());
    const files = await folder.snapshot();
    expect(Object.keys(files)).to.deep.equal(['bundle-sequence.json', ...FILES]);
    for (const name of FILES) expect(files[name]).to.match(/^600 /);
    const root = new X509Certificate(await folder.read('root-cert.pem'));
    const intermediate = new X509Certificate(await folder.read('ca-cert.pem'));
    const days = ({ validFromDate, validToDate }: X509Certificate): number =>
      Math.floor((validToDate.getTime() - validFromDate.getTime()) / DAY);
    expect([days(root), days(intermediate)]).to.deep.equal([3652, 30]);
    expect([root.publicKey, intermediate.publicKey].map((key) => key.asymmetricKeyDetails?.namedCurve)).to.deep.equal([
      'secp384r1',
      'prime256v1',
    ]);
  });

  it('says in its certificates what SPIFFE asks of authorities', async () => {
    await using folder = await AuthorityFolder.create();
    await openAuthority(folder.options());
    const text = async (name: string): Promise<string> =>
      opensslText(decodePem(await folder.read(name), 'CERTIFICATE')[0]!);
    const [root, intermediate] = [await text('root-cert.pem'), await text('ca-cert.pem')];
    for (const one of [root, intermediate]) {
      expect(one).to.match(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
      expect(one).to.match(/URI:spiffe:\/\/cluster\.local\n/);
    }
    expect(root).to.match(/Basic Constraints: critical\s+CA:TRUE, pathlen:1\n/);
    expect(intermediate).to.match(/Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
    expect(intermediate).to.match(/Name Constraints: critical\s+Permitted:\s+URI:cluster\.local\n/);
  });

  it('is the same at every later start', async () => {
    await using folder = await AuthorityFolder.create();
    const first = (await openAuthority(folder.options())).current();
    const files = await folder.snapshot();
    const second = (await openAuthority(folder.options())).current();
    expect(second.bundle).to.deep.equal(first.bundle);
    expect(second.chainPem).to.deep.equal(first.chainPem);
    expect(await folder.snapshot()).to.deep.equal(files);
  });

  it('may be made in a folder that does not exist yet, which is then closed to others', async () => {
    await using folder = await AuthorityFolder.create();
    const directory = folder.file('deep/er');
    await openAuthority({ ...folder.options(), directory });
    const { stdout } = await tool('stat', ['-c', '%a', directory]);
    expect(stdout.trim()).to.equal('700');
  });

  it('does not start again without the root’s key, which may be taken offline', async () => {
    await using folder = await AuthorityFolder.create();
    const before = await rootOf(folder);
    await rm(folder.file('root-key.pem'));
    expect(await rootOf(folder)).to.equal(before);
  });

  it('is refused under the name of another trust domain', async () => {
    await using folder = await AuthorityFolder.create();
    await openAuthority(folder.options());
    expect(await refusalCodeOf(openAuthority({ ...folder.options(), trustDomain: 'other.test' }))).to.equal(
      'authority_trust_domain_mismatch',
    );
  });

  it('needs a folder that can be made and written: authority_not_writable', async () => {
    await using folder = await AuthorityFolder.create({ file: '' });
    expect(await refusalCodeOf(openAuthority({ ...folder.options(), directory: folder.file('file/below') }))).to.equal(
      'authority_not_writable',
    );
  });

  it('is one, when many open an empty folder at once', async () => {
    await using folder = await AuthorityFolder.create();
    const roots = await Promise.all(Array.from({ length: 4 }, () => rootOf(folder)));
    expect(new Set(roots).size).to.equal(1);
  });

  it('is one, when several processes open an empty folder at once', async () => {
    await using folder = await AuthorityFolder.create();
    const processes = Array.from({ length: 3 }, () =>
      tool(process.execPath, [OPENER, folder.path], { withinMs: 15_000 }),
    );
    const outputs = (await Promise.all(processes)).map(({ stdout }) => stdout);
    expect(outputs[0]).to.match(/BEGIN CERTIFICATE/);
    expect(new Set(outputs).size).to.equal(1);
  });
});

const OPENER = join(import.meta.dirname, '../../support/open-authority-main.ts');

describe('a crash while the authority is created', () => {
  it('before the files are complete leaves nothing: the next start begins again', async () => {
    await using folder = await AuthorityFolder.create();
    await mkdir(folder.file('.staging'));
    await writeFile(folder.file('.staging/root-key.pem'), 'half a k');
    await openAuthority(folder.options());
    expect(await readdir(folder.path))
      .to.include.members(FILES)
      .and.not.include('.staging');
  });

  for (let moved = 0; moved <= FILES.length; moved++) {
    it(`after ${moved} of ${FILES.length} files are in place is finished by the next start`, async () => {
      await using folder = await AuthorityFolder.create();
      const root = await rootOf(folder);
      await mkdir(folder.file('.staged'));
      for (const name of FILES.slice(moved)) await rename(folder.file(name), folder.file(`.staged/${name}`));
      expect(await rootOf(folder)).to.equal(root);
      expect(await readdir(folder.path))
        .to.include.members(FILES)
        .and.not.include('.staged');
    });
  }
});

describe('a process killed at any moment of the creation', () => {
  for (const event of [1, 2, 4, 8, 16]) {
    it(`leaves a folder that the next start can use (after ${event} changes in it)`, async () => {
      await using folder = await AuthorityFolder.create();
      await killedAfter(event, folder.path);
      const root = await rootOf(folder);
      expect(await rootOf(folder)).to.equal(root);
      expect((await readdir(folder.path)).sort()).to.deep.equal(['authority.lock', 'bundle-sequence.json', ...FILES]);
    });
  }
});

describe('the intermediate of a self-made authority', () => {
  it('cannot vouch for another trust domain before OpenSSL, pkijs or Node’s TLS', async () => {
    await using folder = await AuthorityFolder.create();
    const authority = (await openAuthority(folder.options())).current();
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const chainFor = (spiffeId: string): Buffer[] => {
      const { der } = authority.signLeaf({ spki, spiffeId, notBefore: NOW - 60_000, notAfter: NOW + 3_600_000 });
      return [der, ...authority.chainPem.flatMap((pem) => decodePem(pem, 'CERTIFICATE'))];
    };
    const root = authority.bundle.authorities[0]!;
    const accepted = async (spiffeId: string): Promise<boolean[]> => {
      const chain = chainFor(spiffeId);
      const openssl = await opensslOpinion(chain, root, 'sslserver');
      const pkijs = await pkijsOpinion(chain, root);
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      return [openssl.accepts, pkijs.accepts, await nodeTlsAccepts(chain, key, authority.rootPem)];
    };
    expect(await accepted('spiffe://cluster.local/ns/shop/sa/web')).to.deep.equal([true, true, true]);
    expect(await accepted('spiffe://other.test/ns/shop/sa/web')).to.deep.equal([false, false, false]);
  });
});

/** Starts a process that opens the authority and kills it when the folder has changed so many times, or when it ends. */
async function killedAfter(changes: number, directory: string): Promise<void> {
  const watcher = watch(directory);
  const child = spawn(process.execPath, [OPENER, directory], { stdio: 'ignore' });
  let seen = 0;
  watcher.on('change', () => {
    if (++seen === changes) child.kill('SIGKILL');
  });
  await once(child, 'close');
  watcher.close();
}

/** Whether a client that presents the chain gets through mutual TLS, both ends trusting the root. */
async function nodeTlsAccepts(chain: readonly Buffer[], key: string, rootPem: readonly string[]): Promise<boolean> {
  const cert = chain.map((der) => encodePem('CERTIFICATE', der)).join('');
  const ca = [...rootPem];
  const server = tls.createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, (socket) =>
    socket.end('in'),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const socket = tls.connect({
      port: (server.address() as AddressInfo).port,
      cert,
      key,
      ca,
      checkServerIdentity: () => undefined,
    });
    let heard = '';
    for await (const part of socket) heard += String(part);
    return heard === 'in';
  } catch {
    return false; // the handshake was refused, by either side
  } finally {
    server.close();
  }
}
