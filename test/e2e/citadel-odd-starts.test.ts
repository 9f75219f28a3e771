/**
 * Promise: a citadel never waits for ever at its start without a word, and starts with what it has when the disk of its
 * authority is full: nothing that it must write there is needed to issue.
 * Real parts: citadel as a process; a file system that is really full, where this machine lets a test make one.
 */
import { cp } from 'node:fs/promises';
import { expect } from 'chai';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { AuthorityFolder, cacertsOf } from '../support/authority-folder.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { canMount, ownMounts } from '../support/small-disk.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { tool } from '../support/tool.ts';

describe('citadel, started where something is odd', () => {
  let issuer: TestIssuer;
  before(async () => {
    issuer = await TestIssuer.start();
  });
  after(() => issuer?.close());

  const plugged = async (directory: string): Promise<void> => {
    const root = createTestAuthority({ trustDomain: 'cluster.local' });
    await AuthorityFolder.at(directory).put(cacertsOf(root.intermediate()));
  };

  it('says journal_unavailable about a pipe in the place of its journal', async () => {
    await using citadel = await CitadelProcess.planned({ tokens: issuer });
    await plugged(citadel.authorityDirectory);
    expect((await tool('mkfifo', [citadel.journalFile])).code).to.equal(0);
    expect(await citadel.launch().exited).to.deep.equal({ code: EXIT.failed.code, signal: null });
    expect(citadel.output).to.include('journal_unavailable').and.include(`${citadel.journalFile}: not a file`);
  });

  if (canMount())
    it('issues from an authority whose disk is full', async () => {
      const fill =
        'mount -t tmpfs -o size=64k tmpfs "$0" && cp -p "$0".seed/* "$0" && head -c 1M /dev/zero > "$0/filler"';
      await using citadel = await CitadelProcess.planned({
        tokens: issuer,
        under: (directory) => [...ownMounts(), 'bash', '-c', `${fill}; exec "$@"`, `${directory}/authority`],
      });
      await plugged(citadel.authorityDirectory);
      await cp(citadel.authorityDirectory, `${citadel.authorityDirectory}.seed`, { recursive: true });
      await citadel.start();
      await citadel.ready();
      const client = await citadel.client();
      const answer = await client.certificate(issuer.token(), freshCsr());
      expect(answer.status, answer.text).to.equal(201);
      expect(citadel.output).to.include('No space left on device');
    });
});
