/**
 * Promise: what cannot be recorded is not issued. A real citadel whose journal hits the end of the disk (here: the
 * file size limit of the process, which SQLite meets as a failing write).
 */

import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { Running } from '../../scripts/local-mesh/running.ts';
import { buildCsr } from '../../shared/x509/csr-builder.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { type ApiAnswer, CitadelClient, codeOf } from '../support/citadel-client.ts';
import { plannedMesh } from '../support/mesh.ts';
import { until } from '../support/until.ts';

const LIMIT_KIB = 160;

describe('citadel at the end of its disk', () => {
  it('stops to issue with a code, says so in readiness, and has recorded everything it handed out', async () => {
    await using mesh = await plannedMesh({
      services: [{ name: 'web' }],
      citadelSettings: { limits: { requestsPerSecondPerPod: 10_000, requestBurstPerPod: 10_000 } },
    });
    await mesh.startIssuer();
    await mesh.startCitadel(); // makes its files while there is room
    await mesh.citadel.stop();
    const { directory, citadel: planned, services } = mesh.plan;
    const limited = `trap '' XFSZ; ulimit -f ${LIMIT_KIB}; exec "$0" bin/citadel.js serve --config ${directory}/citadel.yaml`;
    const citadel = new Running({ name: 'citadel', command: ['bash', '-c', limited, process.execPath] });
    const readyz = (): Promise<Response> => fetch(`http://127.0.0.1:${planned.healthPort}/readyz`);
    try {
      await until('ready', async () => (await readyz()).ok || undefined);
      using client = new CitadelClient({ port: planned.port, ca: await readFile(mesh.plan.rootFile) });
      const token = (await readFile(services[0]!.tokenFile, 'utf8')).trim();
      const csr = encodePem('CERTIFICATE REQUEST', buildCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' })));
      const issued: string[] = [];
      let last: ApiAnswer;
      do {
        last = await client.certificate(token, csr);
        if (last.status === 201) issued.push((last.json!['receipt'] as { serial: string }).serial);
      } while (last.status === 201 && issued.length < 5000);

      expect([last.status, codeOf(last)]).to.deep.equal([503, 'journal_unavailable']);
      expect(Number(last.headers['retry-after'])).to.be.greaterThan(0);
      const missing = ((await (await readyz()).json()) as { missing: { what: string }[] }).missing;
      expect(missing.map(({ what }) => what)).to.include('journal');
      await citadel.event('the failing journal', ({ event }) => event === 'journal_unavailable');
      await citadel.stop();
      expect(serialsIn(`${directory}/journal.sqlite`)).to.include.members(issued);
    } finally {
      await citadel.stop();
    }
  }).timeout(60_000);
});

function serialsIn(file: string): string[] {
  using journal = new DatabaseSync(file);
  const tables = journal.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[];
  const withSerial = tables.find(({ name }) =>
    journal
      .prepare(`PRAGMA table_info(${name})`)
      .all()
      .some((column) => column['name'] === 'serial'),
  );
  return journal
    .prepare(`SELECT serial FROM ${withSerial?.name ?? 'missing'}`)
    .all()
    .map((row) => String(row['serial']));
}
