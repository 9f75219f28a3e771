import { expect } from 'chai';
import { HeadReader } from '../../../shared/http1/head-reader.ts';
import { parseRequestHead } from '../../../shared/http1/request-head.ts';
import { IDENTITY_NAMES, peerHeaderValue } from '../../../sidecar/relay/identity-headers.ts';
import { rawApp } from '../../support/app-server.ts';
import { SPOOFS } from '../../support/hostile-requests.ts';
import { RawClient, say } from '../../support/raw-client.ts';
import { CERTIFICATE_HASH, httpRig, OWN_ID } from '../../support/relay-rig.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const PROVEN = `By=${OWN_ID};Hash=${CERTIFICATE_HASH};Subject="";URI=${WEB}`;

/** Whether the reader of heads lets a field of this name pass. */
function goesOn(name: string): boolean {
  const limits = { bytes: 1024, fields: 10 };
  const reader = new HeadReader(limits);
  reader.push(Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${name}: told\r\n\r\n`), 0);
  return parseRequestHead(reader, limits, IDENTITY_NAMES).kept.fields.includes('told');
}

async function seenByApp(sent: string, peer?: string): Promise<string> {
  await using app = await rawApp();
  await using rig = await httpRig({ to: app.port, ...(peer === undefined ? {} : { peer }) });
  await using client = await RawClient.connect(rig.port);
  client.send(sent);
  return await (await app.connection(0)).until(/\r\n\r\n(?:0\r\n[\s\S]*\r\n\r\n)?$/);
}

describe('identity headers', () => {
  for (const [how, fields] of Object.entries(SPOOFS)) {
    it(`towards the app, what a caller says of itself ${how} is replaced by what it proved`, async () => {
      const seen = await seenByApp(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, WEB);
      expect(seen).not.to.match(/evil|admin/);
      expect(seen.match(/client.cert/gi)).to.have.length(1);
      expect(seen).to.contain(`\r\nX-Forwarded-Client-Cert: ${PROVEN}\r\n`);
    });

    it(`away from the app, what it says of itself ${how} is removed`, async () => {
      const seen = await seenByApp(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
      expect(seen).not.to.match(/evil|admin|client.cert|spiffe|sallyport/i);
    });
  }

  for (const name of ['X-Forwarded-Client-Cert', 'x_spiffe_id', 'X-Sallyport-Peer']) {
    it(`are refused in trailers (${name})`, async () => {
      await using app = await rawApp();
      await using rig = await httpRig({ to: app.port, peer: WEB });
      const trailers = `0\r\n${name}: URI=evil\r\nX-Kept: 1\r\n\r\n`;
      const post = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n';
      expect(await say(rig.port, post + trailers)).to.match(/^HTTP\/1\.1 400 [\s\S]*"code":"http_malformed"/);
      expect(app.count).to.equal(0);
      await using client = await RawClient.connect(rig.port);
      await client.send(post);
      const upstream = await app.connection(0);
      await upstream.until('1\r\nx\r\n');
      await client.send(trailers).closed();
      await upstream.closed();
      expect(upstream.text).not.to.contain('evil');
    });
  }

  it('are set anew for every request of a connection', async () => {
    await using app = await rawApp((socket) =>
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')),
    );
    await using rig = await httpRig({ to: app.port, peer: WEB });
    await using client = await RawClient.connect(rig.port);
    await client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n').until(/200 OK/);
    await client.send('GET /2 HTTP/1.1\r\nHost: a\r\n\r\n').until(/200 OK[\s\S]*200 OK/);
    expect((await app.connection(0)).text.split(PROVEN)).to.have.length(3);
  });

  it('an app cannot answer in the name of a sidecar', async () => {
    await using app = await rawApp((socket) =>
      socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nX-Sallyport-Refusal: evil\r\nContent-Length: 0\r\n\r\n'),
      ),
    );
    await using rig = await httpRig({ to: app.port, peer: WEB });
    expect(await say(rig.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).not.to.contain('evil');
  });

  it('have the form of Istio', () => {
    expect(peerHeaderValue({ own: OWN_ID, peer: WEB, certificateHash: 'ab' })).to.equal(
      `By=${OWN_ID};Hash=ab;Subject="";URI=${WEB}`,
    );
  });

  it('are known by any spelling, and nothing else is', () => {
    for (const name of ['x-forwarded-client-cert', 'X_FORWARDED-Client_Cert', 'X-Spiffe-Anything', 'x_sallyport_x']) {
      expect(goesOn(name), name).to.equal(false);
    }
    for (const name of ['x-forwarded-for', 'x-forwarded-client-certs', 'forwarded', 'x-spiffy', 'x']) {
      expect(goesOn(name), name).to.equal(true);
    }
  });
});
