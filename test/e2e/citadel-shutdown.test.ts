/**
 * Promise: a citadel that is told to end first says so to whoever routes by readiness, and serves everyone who has
 * not heard it yet; only then does it stop listening. Someone who cannot wait gets it to stop with a second signal.
 * Real parts: citadel as a process.
 */
import { expect } from 'chai';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { tlsCaller } from '../support/tls-caller.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { until } from '../support/until.ts';

describe('citadel, told to end', () => {
  let issuer: TestIssuer;
  before(async () => {
    issuer = await TestIssuer.start();
  });
  after(() => issuer?.close());

  const announcing = async (announceSeconds: number): Promise<CitadelProcess> => {
    const citadel = await CitadelProcess.start({ tokens: issuer, settings: { shutdown: { announceSeconds } } });
    citadel.running.child.kill('SIGTERM');
    const unready = async (): Promise<string[] | undefined> => {
      const { status, missing } = await citadel.readiness();
      return status === 503 ? missing : undefined;
    };
    expect(await until('it says that it is not ready', unready)).to.deep.equal(['draining: citadel is shutting down']);
    return citadel;
  };

  it('serves on while it announces its end, and a second signal skips that', async () => {
    await using citadel = await announcing(300);
    const client = await citadel.client();
    const answer = await client.certificate(issuer.token(), freshCsr());
    expect(answer.status, answer.text).to.equal(201);
    // Half a request keeps it from ending while signals are still on their way.
    await using caller = await tlsCaller(citadel.port);
    caller.send('GET /v1/bundle HTTP/1.1\r\nhost: loc');
    // Signals within a second of the first are the same wish, passed on by a launcher.
    await until('it drains', () => {
      if (citadel.output.includes('"draining"')) return true;
      citadel.running.child.kill('SIGTERM');
      return undefined;
    });
    await caller[Symbol.asyncDispose]();
    expect(await citadel.running.exited).to.deep.equal({ code: EXIT.ok.code, signal: null });
  });

  it('stops listening by itself when the announcement is over', async () => {
    await using citadel = await announcing(1);
    expect(await citadel.running.exited).to.deep.equal({ code: EXIT.ok.code, signal: null });
  });
});
