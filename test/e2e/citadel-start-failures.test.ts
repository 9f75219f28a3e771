/**
 * Promise: a citadel that cannot start says why in one line that names a code and the file, port or setting to look
 * at, ends with the exit code for it, and leaves every file as it was.
 * Real parts: citadel as a process, folders and ports as an operator may have them.
 */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RefusalCode } from '../../shared/errors/refusal.ts';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { AuthorityFolder, cacertsOf, keyPemOf } from '../support/authority-folder.ts';
import { CitadelProcess } from '../support/citadel-process.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { TestIssuer } from '../support/token-sources.ts';

const HOUR = 3_600_000;

describe('a citadel that cannot start', () => {
  let issuer: TestIssuer;
  before(async () => {
    issuer = await TestIssuer.start();
  });
  after(() => issuer?.close());

  /** Runs it to its end. @returns the exit code and what is not a log line */
  const run = async (citadel: CitadelProcess): Promise<{ code: number | null; complaint: string[] }> => {
    const running = citadel.launch();
    // One that starts after all is ended, with a code that no test wants.
    void running
      .event('the start', ({ event }) => event === 'started')
      .then(
        () => running.stop(),
        () => undefined, // it has ended, as it should
      );
    const { code } = await running.exited;
    const lines = citadel.output.split('\n').filter((line) => line !== '');
    const logged = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as { level: string });
    expect(logged.filter(({ level }) => level === 'error')).to.deep.equal([]);
    return { code, complaint: lines.filter((line) => !line.startsWith('{')) };
  };

  describe('because of its authority', () => {
    const root = createTestAuthority({ trustDomain: 'cluster.local' });
    const signing = root.intermediate();
    const good = cacertsOf(signing);
    const past = { notBefore: Date.now() - 48 * HOUR, notAfter: Date.now() - HOUR };
    const withoutKey = Object.fromEntries(Object.entries(good).filter(([name]) => name !== 'ca-key.pem'));

    const CASES: readonly (readonly [
      what: string,
      code: RefusalCode,
      names: string,
      files: Readonly<Record<string, string>>,
    ])[] = [
      [
        'a key of another certificate',
        'authority_key_mismatch',
        'ca-key.pem',
        { ...good, 'ca-key.pem': keyPemOf(root) },
      ],
      ['an intermediate that has expired', 'authority_out_of_date', 'ca-cert.pem', cacertsOf(root.intermediate(past))],
      [
        'a root that has expired',
        'authority_out_of_date',
        'root-cert.pem',
        cacertsOf(createTestAuthority({ trustDomain: 'cluster.local', ...past }).intermediate()),
      ],
      [
        'an intermediate of tomorrow',
        'authority_out_of_date',
        'ca-cert.pem',
        cacertsOf(root.intermediate({ notBefore: Date.now() + 24 * HOUR, notAfter: Date.now() + 48 * HOUR })),
      ],
      ['no key', 'authority_incomplete', 'ca-cert.pem', withoutKey],
      ['a key alone', 'authority_incomplete', 'ca-key.pem', { 'ca-key.pem': good['ca-key.pem']! }],
      ['garbage for a certificate', 'authority_malformed', 'ca-cert.pem', { ...good, 'ca-cert.pem': 'garbage' }],
      [
        'half a certificate',
        'authority_malformed',
        'ca-cert.pem',
        { ...good, 'ca-cert.pem': good['ca-cert.pem']!.slice(0, 200) },
      ],
      ['garbage for a key', 'authority_malformed', 'ca-key.pem', { ...good, 'ca-key.pem': 'garbage' }],
      ['an empty key', 'authority_malformed', 'ca-key.pem', { ...good, 'ca-key.pem': '' }],
      [
        'a root that did not sign it',
        'authority_chain_invalid',
        'cert-chain.pem',
        { ...good, 'root-cert.pem': createTestAuthority({ trustDomain: 'cluster.local' }).pem },
      ],
      [
        'a certificate that may not sign',
        'authority_not_ca',
        'ca-cert.pem',
        cacertsOf(root.intermediate({ ca: false, keyUsage: [0] })),
      ],
      [
        'the authority of another trust domain',
        'authority_trust_domain_mismatch',
        'ca-cert.pem',
        cacertsOf(root.intermediate({ uris: ['spiffe://elsewhere.example'] })),
      ],
    ];
    for (const [what, code, names, files] of CASES) {
      it(`says ${code} about ${what}, once`, async () => {
        await using citadel = await CitadelProcess.planned({ tokens: issuer });
        const folder = AuthorityFolder.at(citadel.authorityDirectory);
        await folder.put(files);
        const before = await folder.snapshot();
        const { code: exit, complaint } = await run(citadel);
        expect([exit, complaint.length], complaint.join('\n')).to.deep.equal([EXIT.authority.code, 1]);
        expect(complaint[0])
          .to.match(new RegExp(`^citadel: ${code}: `))
          .and.include(names);
        expect(complaint[0]).to.include(citadel.authorityDirectory).and.not.include('BEGIN');
        expect(await folder.snapshot()).to.deep.equal(before);
      });
    }

    for (const mode of [0o644, 0o640, 0o604]) {
      it(`says file_permissions_open about a key of mode ${mode.toString(8)}, and does not read it`, async () => {
        await using citadel = await CitadelProcess.planned({ tokens: issuer });
        await AuthorityFolder.at(citadel.authorityDirectory).put(good);
        const keyFile = join(citadel.authorityDirectory, 'ca-key.pem');
        await chmod(keyFile, mode);
        const { code, complaint } = await run(citadel);
        expect([code, complaint.length]).to.deep.equal([EXIT.authority.code, 1]);
        expect(complaint[0])
          .to.match(/^citadel: file_permissions_open: /)
          .and.include(keyFile)
          .and.include(mode.toString(8));
      });
    }

    it('starts with the same files when nothing is wrong with them: the cases differ in their one fault', async () => {
      await using citadel = await CitadelProcess.planned({ tokens: issuer });
      await AuthorityFolder.at(citadel.authorityDirectory).put(good);
      await citadel.start();
      await citadel.ready();
      expect(await citadel.readiness()).to.include({ ready: true });
    });
  });

  describe('because of its journal', () => {
    const damaged = async (content: string | Buffer, code: RefusalCode): Promise<void> => {
      await using citadel = await CitadelProcess.planned({ tokens: issuer });
      await AuthorityFolder.at(citadel.authorityDirectory).put(
        cacertsOf(createTestAuthority({ trustDomain: 'cluster.local' })),
      );
      await writeFile(citadel.journalFile, content, { mode: 0o600 });
      const { code: exit, complaint } = await run(citadel);
      expect([exit, complaint.length], complaint.join('\n')).to.deep.equal([EXIT.failed.code, 1]);
      expect(complaint[0])
        .to.match(new RegExp(`^citadel: ${code}: `))
        .and.include(citadel.journalFile);
      expect(await readFile(citadel.journalFile)).to.deep.equal(Buffer.from(content));
    };

    it('says journal_malformed about a file that is no database', () =>
      damaged('no database at all, '.repeat(300), 'journal_malformed'));

    it('says journal_unavailable about a folder in its place', async () => {
      await using citadel = await CitadelProcess.planned({
        tokens: issuer,
        settings: { journal: { file: '/proc' } },
      });
      await AuthorityFolder.at(citadel.authorityDirectory).put(
        cacertsOf(createTestAuthority({ trustDomain: 'cluster.local' })),
      );
      const { code, complaint } = await run(citadel);
      expect([code, complaint.length], complaint.join('\n')).to.deep.equal([EXIT.failed.code, 1]);
      expect(complaint[0]).to.match(/^citadel: journal_unavailable: .*\/proc/);
    });
  });

  describe('because of a port', () => {
    let taken: Server;
    before(async () => {
      taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    });
    after(() => taken?.close());
    const port = (): number => (taken.address() as { port: number }).port;

    for (const section of ['api', 'health']) {
      it(`says address_in_use about the port of ${section}`, async () => {
        await using citadel = await CitadelProcess.planned({
          tokens: issuer,
          settings: { [section]: { listen: `127.0.0.1:${port()}` } },
        });
        const { code, complaint } = await run(citadel);
        expect([code, complaint.length], complaint.join('\n')).to.deep.equal([EXIT.address.code, 1]);
        expect(complaint[0])
          .to.match(/^citadel: address_in_use: /)
          .and.include(`127.0.0.1:${port()}`);
      });
    }

    it('says address_unusable about an address of another machine', async () => {
      await using citadel = await CitadelProcess.planned({
        tokens: issuer,
        settings: { api: { listen: '192.0.2.1:0' } },
      });
      const { code, complaint } = await run(citadel);
      expect([code, complaint.length]).to.deep.equal([EXIT.address.code, 1]);
      expect(complaint[0]).to.match(/^citadel: address_unusable: .*192\.0\.2\.1/);
    });
  });

  describe('because of its configuration', () => {
    it('names each of three mistakes in a line of its own', async () => {
      await using citadel = await CitadelProcess.planned({
        tokens: issuer,
        settings: {
          api: { listen: 'nowhere' },
          log: { level: 'loud' },
          limits: { connectoins: 5 },
        },
      });
      const { code, complaint } = await run(citadel);
      expect(code).to.equal(EXIT.config.code);
      const [first, ...mistakes] = complaint;
      expect(first).to.match(/^citadel: config_invalid: /);
      expect(mistakes, complaint.join('\n')).to.have.length(3);
      for (const key of ['api.listen', 'log.level', 'limits.connectoins']) {
        expect(
          mistakes.filter((line) => line.includes(key)),
          key,
        ).to.have.length(1);
      }
    });

    it('says where a file ends to be YAML', async () => {
      await using citadel = await CitadelProcess.planned({ tokens: issuer });
      await writeFile(citadel.configFile, 'api: {listen: [\n');
      const { code, complaint } = await run(citadel);
      expect(code).to.equal(EXIT.config.code);
      expect(complaint.join('\n')).to.include(citadel.configFile);
    });
  });
});
