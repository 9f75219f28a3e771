/** Files of an authority that are no plain files: whatever they are, nothing is made in their place and nothing hangs. */
import { chmod, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { openAuthority } from '../../../citadel/authority/open-authority.ts';
import { AuthorityFolder, cacertsOf } from '../../support/authority-folder.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { refusalOf } from '../../support/refusals.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { tool } from '../../support/tool.ts';

const NAMES = ['ca-cert.pem', 'ca-key.pem', 'cert-chain.pem', 'root-cert.pem'];
const root = createTestAuthority({ trustDomain: 'cluster.local' });

describe('an authority whose files are no plain files', () => {
  it('is not taken for an empty folder when its links lead nowhere: that would make a new root', async () => {
    await using elsewhere = await AuthorityFolder.create(cacertsOf(root.intermediate()));
    await using folder = await AuthorityFolder.create();
    await symlink(elsewhere.path, folder.file('..data'));
    for (const name of NAMES) await symlink(`..data/${name}`, folder.file(name));
    await rm(folder.file('..data'));
    const refusal = await refusalOf(openAuthority(folder.options()));
    expect(refusal.code).to.equal('file_unreadable');
    expect(NAMES.map((name) => `${folder.file(name)}: a link to nothing`)).to.include(refusal.detail);
    await symlink(elsewhere.path, folder.file('..data'));
    const keeper = await openAuthority(folder.options());
    expect(keeper.current().rootPem).to.deep.equal([root.pem]);
  });

  it('is refused for a pipe, without waiting for its other end', async () => {
    for (const name of NAMES) {
      await using folder = await AuthorityFolder.create(cacertsOf(root.intermediate()));
      await rm(folder.file(name));
      expect((await tool('mkfifo', ['-m', '600', folder.file(name)])).code).to.equal(0);
      const refusal = await refusalOf(openAuthority(folder.options()));
      expect([refusal.code, refusal.detail]).to.deep.equal(['file_unreadable', `${folder.file(name)}: not a file`]);
    }
  });

  it('is refused for a socket and for a device that never ends', async () => {
    await using folder = await AuthorityFolder.create(cacertsOf(root.intermediate()));
    const server = createServer();
    await rm(folder.file('root-cert.pem'));
    await new Promise<void>((resolve) => server.listen(folder.file('root-cert.pem'), resolve));
    expect((await refusalOf(openAuthority(folder.options()))).code).to.equal('file_unreadable');
    await new Promise((resolve) => server.close(resolve));
    await symlink('/dev/zero', folder.file('root-cert.pem'));
    expect((await refusalOf(openAuthority(folder.options()))).code).to.equal('file_unreadable');
  });

  it('is refused for a file of a terabyte before any of it is read', async () => {
    await using folder = await AuthorityFolder.create(cacertsOf(root.intermediate()));
    await truncate(folder.file('root-cert.pem'), 2 ** 40);
    const refusal = await refusalOf(openAuthority(folder.options()));
    expect([refusal.code, refusal.detail]).to.deep.equal([
      'authority_malformed',
      `${folder.file('root-cert.pem')} is larger than 1048576 bytes`,
    ]);
  });

  it('is warned of in a folder that everybody may write, and not in one that only its owner or its group may', async () => {
    const warned = async (mode: number): Promise<unknown> => {
      await using folder = await AuthorityFolder.create(cacertsOf(root.intermediate()));
      await chmod(folder.path, mode);
      const log = new RecordedLog();
      await openAuthority({ ...folder.options(), log });
      return log.events('authority_folder_open').map(({ fields }) => fields['directory'] === folder.path);
    };
    expect([await warned(0o777), await warned(0o755), await warned(0o770)]).to.deep.equal([[true], [], []]);
  });

  it('is refused when the lock of its folder is no lock', async () => {
    await using folder = await AuthorityFolder.create(cacertsOf(root.intermediate()));
    await writeFile(folder.file('authority.lock'), 'no database');
    const garbage = await refusalOf(openAuthority(folder.options()));
    expect([garbage.code, garbage.detail.split(': ')[0]]).to.deep.equal([
      'authority_not_writable',
      folder.file('authority.lock'),
    ]);
    await rm(folder.file('authority.lock'));
    await mkdir(folder.file('authority.lock'));
    expect((await refusalOf(openAuthority(folder.options()))).code).to.equal('authority_not_writable');
  });

  it('may be a link itself, as long as it leads somewhere', async () => {
    await using folder = await AuthorityFolder.create(cacertsOf(root.intermediate()));
    await mkdir(folder.file('deeper'));
    for (const name of NAMES) {
      await rename(folder.file(name), folder.file(`deeper/${name}`));
      await symlink(`deeper/${name}`, folder.file(name));
    }
    expect((await openAuthority(folder.options())).current().rootPem).to.deep.equal([root.pem]);
  });
});
