/**
 * Promise: two thousand callers that hold a connection and do nothing cost the others nothing that they would notice,
 * and when they have gone nothing of them is left.
 * Real parts: citadel as a process with its usual limits; two thousand TLS connections from this test.
 */
import { expect } from 'chai';
import { memoryOf } from '../bench/process-cost.ts';
import { CitadelProcess } from '../support/citadel-process.ts';
import { askMeanwhile } from '../support/honest-callers.ts';
import type { RawClient } from '../support/raw-client.ts';
import { tlsCaller } from '../support/tls-caller.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { until } from '../support/until.ts';

const CONNECTIONS = 2000;
const AT_ONCE = 50;
/** Loose: this process makes two thousand handshakes on the same machine meanwhile. */
const SLOWEST_HONEST_MS = 2000;
const MOST_KIB_EACH = 150;

describe('citadel with two thousand idle connections', () => {
  it('serves honest callers while they come and while they stay, and forgets them when they go', async () => {
    const issuer = await TestIssuer.start();
    await using citadel = await CitadelProcess.start({ tokens: issuer });
    const client = await citadel.client();
    const token = issuer.token();
    const held: RawClient[] = [];
    try {
      const before = memoryOf(citadel.running.pid).own;
      const coming = await askMeanwhile({ client, token }, () => hold(held, citadel.port));
      expect(await citadel.metric('citadel_connections')).to.be.at.least(CONNECTIONS);
      const staying = await askMeanwhile({ client, token, least: 50 }, async () => undefined);
      for (const { honest } of [coming, staying]) {
        expect(honest.refused).to.deep.equal([]);
        expect(honest.slowest).to.be.below(SLOWEST_HONEST_MS);
      }
      expect(memoryOf(citadel.running.pid).own - before).to.be.below(CONNECTIONS * MOST_KIB_EACH);
      expect(await citadel.readiness()).to.include({ ready: true });
      for (const { socket } of held) socket.destroy();
      await until('they are gone', async () => (await citadel.metric('citadel_connections')) < 100 || undefined);
    } finally {
      for (const { socket } of held) socket.destroy();
      issuer.close();
    }
  }).timeout(60_000);
});

/** Each is used once, so that it counts as kept and idle, and then left alone. */
async function hold(held: RawClient[], port: number): Promise<void> {
  while (held.length < CONNECTIONS) {
    const callers = await Promise.all(Array.from({ length: AT_ONCE }, () => tlsCaller(port)));
    held.push(...callers);
    for (const caller of callers) caller.send('HEAD /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await Promise.all(callers.map((caller) => caller.until('\r\n\r\n')));
  }
}
