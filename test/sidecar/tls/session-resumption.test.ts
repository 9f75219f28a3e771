import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls, { type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { anchorsOf } from '../../../shared/x509/trust-anchors.ts';
import { checkPeer } from '../../../sidecar/tls/peer-check.ts';
import { createTestAuthority, type TestSvid } from '../../support/test-authority.ts';
import { connectAs, queue, startServer, storeOf } from '../../support/tls-peers.ts';
import { tool } from '../../support/tool.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const GOOD = ROOT.svid();
const EXPIRED = ROOT.svid({ notAfter: systemClock.now() - 1000 });

describe('TLS session resumption', () => {
  it('is not to be had by openssl: an expired client with an earlier session is refused as expired', async () => {
    await using server = await startServer(storeOf(ROOT));
    await using folder = await scratch();
    const session = join(folder.path, 'session.pem');
    const first = openssl(server.port, folder.path, GOOD, ['-sess_out', session]);
    (await server.admitted()).socket.end('done');
    await first;
    expect(await readFile(session, 'utf8')).to.include('SSL SESSION');

    const second = openssl(server.port, folder.path, EXPIRED, ['-sess_in', session]);
    expect((await server.refused()).refusal.code).to.equal('peer_certificate_expired');
    expect((await second).stdout).not.to.match(/^Reused/m);
    expect(server.counts).to.deep.equal({ admitted: 1, refused: 1 });
  });

  it('is not to be had by Node: a client with an earlier session makes a full handshake under its present name', async () => {
    await using server = await startServer(storeOf(ROOT));
    const first = connectAs(server.port, ROOT, GOOD);
    const announced = once(first, 'session');
    await server.admitted();
    const [session] = await announced;
    const other = ROOT.svid({ uri: 'spiffe://cluster.local/ns/shop/sa/other' });
    const second = connectAs(server.port, ROOT, other, { session });
    const { peer } = await server.admitted();
    expect(peer.spiffeId.uri).to.equal(other.uri);
    expect(second.isSessionReused()).to.equal(false);
  });

  it('is refused with a code of its own wherever it should happen after all', async () => {
    await using server = await resumingServer();
    const first = connectAs(server.port, ROOT, GOOD);
    const announced = once(first, 'session');
    expect(await server.verdict()).to.equal(GOOD.uri);
    const [session] = await announced;
    const second = connectAs(server.port, ROOT, GOOD, { session });
    expect(await server.verdict()).to.equal('peer_session_resumed');
    expect(second.isSessionReused()).to.equal(true);
  });
});

/** A server as Node makes it by default, with session tickets: what ours would be without SSL_OP_NO_TICKET. */
async function resumingServer() {
  const own = ROOT.svid();
  const verdicts = queue<string>();
  const sockets: TLSSocket[] = [];
  const options = { cert: own.chainPem, key: own.keyPem, ca: ROOT.rootPem, requestCert: true };
  const server = tls.createServer(options, (socket) => {
    sockets.push(socket.on('error', () => socket.destroy()));
    try {
      verdicts.put(checkPeer(socket, anchorsOf([ROOT.bundle()]), systemClock.now()).spiffeId.uri);
    } catch (error) {
      verdicts.put(error instanceof Refusal ? error.code : String(error));
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    verdict: verdicts.take,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function openssl(port: number, folder: string, svid: TestSvid, more: readonly string[]) {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await writeFile(cert, svid.chainPem);
  await writeFile(key, svid.keyPem, { mode: 0o600 });
  return tool('openssl', [
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    '-tls1_3',
    '-cert',
    cert,
    '-key',
    key,
    '-ign_eof',
    ...more,
  ]);
}

async function scratch() {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
