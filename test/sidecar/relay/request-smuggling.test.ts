import { expect } from 'chai';
import { rawApp } from '../../support/app-server.ts';
import { AMBIGUOUS, UNAMBIGUOUS } from '../../support/hostile-requests.ts';
import { RawClient } from '../../support/raw-client.ts';
import { httpRig } from '../../support/relay-rig.ts';

describe('request smuggling', () => {
  for (const [name, sent] of Object.entries(AMBIGUOUS)) {
    it(`refuses ${name}, and the app sees no request`, async () => {
      await using app = await rawApp();
      await using rig = await httpRig({ to: app.port, peer: 'spiffe://cluster.local/ns/shop/sa/web' });
      await using client = await RawClient.connect(rig.port);
      const text = await client.send(sent).closed();
      expect(text).to.match(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(text)
        .to.match(/\r\nContent-Type: application\/problem\+json\r\n/)
        .and.match(/"code":"http_malformed"/);
      expect(text.match(/HTTP\/1\.1 /g), 'one answer').to.have.length(1);
      // What was begun before the fault was seen never becomes a whole request.
      for (let at = 0; at < app.count; at++) {
        const { text: seen } = await app.connection(at);
        expect(seen)
          .not.to.match(/smuggled/)
          .and.not.match(/0\r\n\r\n$/);
      }
      expect(rig.refused.map(({ code }) => code)).to.deep.equal(['http_malformed']);
    });
  }

  for (const [name, { sent, seen }] of Object.entries(UNAMBIGUOUS)) {
    it(`forwards ${name} with one meaning`, async () => {
      await using app = await rawApp();
      await using rig = await httpRig({ to: app.port });
      await using client = await RawClient.connect(rig.port);
      client.send(sent);
      const upstream = await app.connection(0);
      await upstream.until(seen);
      upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      await client.until('200 OK');
      // A next request proves where the first one ended for every reader.
      client.send('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
      expect(await upstream.until('GET /next')).to.match(/\r\n(?:\r\n|\r\n[\s\S]*\r\n)GET \/next HTTP\/1\.1\r\n/);
      expect(app.count).to.equal(1);
      expect(rig.refused).to.deep.equal([]);
    });
  }

  it('answers what was asked before an ambiguous request, then refuses', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    client.send(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\nHost: a\n\n`);
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst');
    const text = await client.closed();
    expect(text).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nfirstHTTP\/1\.1 400 Bad Request\r\n/);
  });

  it('refuses a header that is too large in bytes or in fields', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port, limits: { headerBytes: 2048, headerCount: 10 } });
    for (const more of [`X: ${'x'.repeat(3000)}\r\n`, 'X: y\r\n'.repeat(11)]) {
      await using client = await RawClient.connect(rig.port);
      const text = await client.send(`GET / HTTP/1.1\r\nHost: a\r\n${more}\r\n`).closed();
      expect(text)
        .to.match(/^HTTP\/1\.1 431 /)
        .and.match(/"code":"http_headers_too_large"/);
    }
    expect(app.count).to.equal(0);
  });
});
