import { expect } from 'chai';
import { noBareClock, noSecretsInWords, noSleepingTests, nothingSwallowed, nothingUnfinished } from './code-rules.ts';
import { noCycles } from './cycle-rule.ts';
import { kebabCase, purposeFirst, smallFiles, tellingNames } from './file-rules.ts';
import { knownFolders, leftOnly, programsApart } from './layer-rules.ts';
import { LAYOUT_RULES, problemsOf } from './layout.ts';
import { linksResolve, namedPathsExist } from './link-rules.ts';
import type { Rule } from './rule.ts';
import { readSourceTree, treeOf } from './source-tree.ts';

describe('layout', () => {
  const tree = readSourceTree();

  for (const rule of LAYOUT_RULES) {
    it(rule.name, () => {
      expect(problemsOf(rule, tree)).to.deep.equal([]);
    });
  }

  it('is looked at in a tree that has both programs in it', () => {
    expect(tree.files.filter((file) => /^(citadel|sidecar)\/main\.ts$/.test(file.path))).to.have.length(2);
  });
});

type Texts = Readonly<Record<string, string>>;

/** For each rule: trees that it must refuse and trees that it must let pass. */
const EXAMPLES: readonly { rule: Rule; bad: readonly Texts[]; good: readonly Texts[] }[] = [
  {
    rule: programsApart,
    bad: [
      { 'citadel/api/server.ts': "import { relay } from '../../sidecar/relay/relay.ts';" },
      { 'sidecar/main.ts': "import type { Journal } from '../citadel/ledger/journal.ts';" },
      { 'shared/log/log.ts': "export { serve } from '../../citadel/main.ts';" },
      { 'citadel/main.ts': "const mesh = await import('../test/support/mesh.ts');" },
    ],
    good: [{ 'citadel/api/server.ts': "import { Refusal } from '../../shared/errors/refusal.ts';" }],
  },
  {
    rule: leftOnly,
    bad: [
      { 'citadel/attest/attestor.ts': "import { sign } from '../authority/signer.ts';" },
      { 'citadel/csr/csr-rules.ts': "import type { Server } from '../api/server.ts';" },
      { 'citadel/kubernetes/client.ts': "import { attest } from '../attest/attestor.ts';" },
      { 'citadel/api/server.ts': "import { compose } from '../compose.ts';" },
      { 'citadel/api/server.ts': "import { serve } from '../cli/serve.ts';" },
      { 'sidecar/tls/mtls-server.ts': "import {\n  accept,\n} from '../listeners/inbound.ts';" },
      { 'sidecar/tls/mtls-server.ts': "import { count } from '../telemetry/traffic-metrics.ts';" },
    ],
    good: [
      { 'citadel/api/server.ts': "import { attest } from '../attest/attestor.ts';" },
      { 'citadel/api/server.ts': "import type { Issued } from '../issue-certificate.ts';" },
      { 'citadel/attest/token-review.ts': "import { client } from '../kubernetes/client.ts';" },
      { 'citadel/compose.ts': "import { server } from './api/server.ts';" },
      { 'citadel/cli/serve.ts': "import { compose } from '../compose.ts';" },
    ],
  },
  {
    rule: knownFolders,
    bad: [{ 'sidecar/extras/thing.ts': '' }],
    good: [{ 'sidecar/relay/relay.ts': '' }],
  },
  {
    rule: noCycles,
    bad: [
      {
        'shared/a.ts': "import { b } from './b.ts';",
        'shared/b.ts': "export * from './c.ts';",
        'shared/c.ts': "import './a.ts';",
      },
    ],
    good: [{ 'shared/a.ts': "import { b } from './b.ts';", 'shared/b.ts': "import type { A } from './a.ts';" }],
  },
  {
    rule: kebabCase,
    bad: [{ 'shared/clock/systemClock.ts': '' }, { 'shared/my_clock/clock.ts': '' }],
    good: [{ 'shared/x509/der-reader.test.ts': '' }],
  },
  {
    rule: tellingNames,
    bad: [{ 'shared/utils/text.ts': '' }, { 'shared/tls/session-manager.ts': '' }],
    good: [{ 'shared/tls/session-pool.ts': '' }],
  },
  {
    rule: smallFiles,
    bad: [{ 'shared/a.ts': '\n'.repeat(301) }, { 'test/a.test.ts': '\n'.repeat(401) }],
    good: [{ 'shared/a.ts': '\n'.repeat(300) }, { 'test/a.test.ts': '\n'.repeat(400) }],
  },
  {
    rule: purposeFirst,
    bad: [
      { 'shared/a.ts': "import './b.ts';" },
      { 'scripts/a.sh': '#!/bin/sh\nset -e\n' },
      { 'test/e2e/a.test.ts': 'describe' },
    ],
    good: [
      { 'shared/a.ts': '/** Why. */\n' },
      { 'scripts/a.sh': '#!/bin/sh\n# Why.\n' },
      { 'bin/a.js': '#!/usr/bin/env node\n/** Why. */\n' },
    ],
  },
  {
    rule: noBareClock,
    bad: [
      { 'sidecar/a.ts': 'const now = Date.now();' },
      { 'citadel/a.ts': 'const clock = Date.now;' },
      { 'citadel/a.ts': 'const draw = Math.random();' },
      { 'shared/a.ts': 'setTimeout(fire, 5);' },
      { 'shared/a.ts': 'const timer = setInterval(() => {\n}, 5);' },
      { 'shared/a.ts': 'const date = new Date();' },
    ],
    good: [
      { 'shared/clock/clock.ts': 'const now = Date.now();' },
      { 'sidecar/a.ts': '// Not Date.now(): it jumps.\nsocket.setTimeout(0);' },
      { 'sidecar/a.ts': 'const text = new Date(clock.now()).toISOString();' },
    ],
  },
  {
    rule: noSleepingTests,
    bad: [
      { 'test/a.test.ts': 'await new Promise((done) => setTimeout(done, 50));' },
      { 'test/a.test.ts': "import { setTimeout as pause } from 'node:timers/promises';" },
      { 'test/a.test.ts': 'await pause(systemClock, 200);' },
    ],
    good: [{ 'test/a.test.ts': 'this.timeout(5000);\nawait pause(clock, 200);' }],
  },
  {
    rule: nothingSwallowed,
    bad: [
      { 'shared/a.ts': 'try { a(); } catch { }' },
      { 'test/a.test.ts': 'try { a(); } catch (error) {\n}' },
      { 'shared/a.ts': 'a().catch(() => {});' },
    ],
    good: [
      { 'shared/a.ts': 'try { a(); } catch {\n  // Gone already: that is what we want.\n}' },
      { 'shared/a.ts': 'a().catch(() => undefined); // told by the one who awaits it' },
    ],
  },
  {
    rule: nothingUnfinished,
    bad: [
      { 'shared/a.ts': '// TODO later' },
      { 'scripts/a.ts': "throw new Error('not implemented');" },
      { 'citadel/a.ts': '// @ts-ignore' },
    ],
    good: [{ 'shared/a.ts': '// All done.' }],
  },
  {
    rule: noSecretsInWords,
    bad: [
      { 'citadel/a.ts': `throw new Refusal('token_expired', \`saw \${token}\`);` },
      { 'citadel/a.ts': `throw new Refusal('csr_malformed', { detail: \`in \${request.csrPem.slice(0, 40)}\` });` },
      { 'sidecar/a.ts': "log.warn('renewal_failed', { attempt, token });" },
      { 'sidecar/a.ts': "log.info('identity', { privateKey: keys.privateKey });" },
      { 'shared/a.ts': `throw new PemError(\`no key in \${pem}\`);` },
    ],
    good: [
      { 'citadel/a.ts': `throw new Refusal('token_expired', \`of \${attested.tokenId}, \${token.length} bytes\`);` },
      { 'citadel/a.ts': "log.info('certificate_issued', { tokenId, serial });" },
      { 'citadel/a.ts': "throw new Refusal('token_expired', 'the token is old');" },
    ],
  },
  {
    rule: linksResolve,
    bad: [
      { 'README.md': '[gone](docs/gone.md)' },
      { 'docs/a.md': '# Title\n[here](#elsewhere)' },
      { 'README.md': '[there](docs/b.md#nowhere)', 'docs/b.md': '# Somewhere' },
    ],
    good: [
      { 'docs/a.md': '[up](../README.md) [web](https://example.com/x) [in](#a-title)\n# A title', 'README.md': '' },
      { 'README.md': '[code](docs/errors.md#token_expired)', 'docs/errors.md': '<a id="token_expired"></a>' },
    ],
  },
  {
    rule: namedPathsExist,
    bad: [{ 'ARCHITECTURE.md': 'see `test/e2e/gone.test.ts`' }],
    good: [{ 'ARCHITECTURE.md': 'see `shared/log/`', 'shared/log/log.ts': '' }],
  },
];

describe('the layout rules themselves', () => {
  for (const { rule, bad, good } of EXAMPLES) {
    it(`can fail: ${rule.name}`, () => {
      for (const texts of bad) expect(problemsOf(rule, treeOf(texts)), JSON.stringify(texts)).not.to.deep.equal([]);
      for (const texts of good) expect(problemsOf(rule, treeOf(texts)), JSON.stringify(texts)).to.deep.equal([]);
    });
  }

  it('are all shown an example', () => {
    expect(EXAMPLES.map(({ rule }) => rule)).to.have.members([...LAYOUT_RULES]);
  });
});
