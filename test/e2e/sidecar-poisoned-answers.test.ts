/**
 * Promise: whatever an app answers through two sidecars, it answers that one request and no other: an answer that has no
 * one meaning is refused, what stands behind an answer belongs to nobody, and another caller gets the answer to the own
 * question.
 * Real parts: dev issuer, citadel and two sidecars as processes; an app that writes what the test wants, byte by byte.
 */
import { expect } from 'chai';
import { type AnsweringApp, answeringApp } from '../support/answering-app.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { BROKEN_ANSWERS, POISON, REFUSED_ANSWERS, SERVED_ANSWERS } from '../support/poisoned-answers.ts';
import { RawClient } from '../support/raw-client.ts';

describe('poisoned answers through two sidecars', () => {
  let mesh: TestMesh;
  let app: AnsweringApp;
  let port: number;
  let asked = 0;

  before(async function () {
    this.timeout(60_000);
    app = await answeringApp();
    mesh = await startMesh({
      services: [
        { name: 'orders', appPort: app.port },
        { name: 'web', next: 'orders' },
      ],
    });
    port = mesh.service('web').plan.outbound['orders']!;
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  const ask = (path: string, method = 'GET'): string => `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const finals = (text: string): number[] =>
    Array.from(text.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status)).filter((status) => status >= 200);

  /** @returns a path that the app answers with `said` */
  function pathOf(said: string): string {
    const path = `/shape/${asked++}`;
    app.answers.set(path, said);
    return path;
  }

  /** Several at once, so that every pooled connection is met. */
  async function innocents(): Promise<void> {
    const one = async (path: string): Promise<void> => {
      await using client = await RawClient.connect(port);
      for (const next of [path, `${path}/again`]) {
        const text = await client.send(ask(next)).until(`asked ${next}.`);
        expect(text).not.to.include('POISON');
      }
      expect(finals(client.text)).to.deep.equal([200, 200]);
    };
    await Promise.all(Array.from({ length: 4 }, () => one(`/innocent/${asked++}`)));
  }

  for (const [name, said] of Object.entries(REFUSED_ANSWERS)) {
    it(`refuses ${name}`, async () => {
      await using client = await RawClient.connect(port);
      const text = await client.send(ask(pathOf(said))).until(/"code":"\w+"/);
      expect(finals(text)).to.deep.equal([502]);
      expect(text).not.to.include('POISON');
      await innocents();
    });
  }

  for (const [name, { begin, fault }] of Object.entries(BROKEN_ANSWERS)) {
    it(`refuses ${name}, or breaks off there`, async () => {
      await using client = await RawClient.connect(port);
      const text = await client.send(ask(pathOf(begin + fault))).until(/"code":"\w+"|x/);
      expect(finals(text)).to.have.length(1);
      expect(client.text).not.to.include('POISON');
      await innocents();
    });

    it(`breaks off at ${name} behind what was passed on`, async () => {
      await using client = await RawClient.connect(port);
      const path = pathOf(begin);
      await client.send(ask(path)).until('1\r\nx');
      app.goOn(path, fault);
      const text = await client.closed();
      expect(finals(text)).to.deep.equal([200]);
      expect(text)
        .not.to.include('POISON')
        .and.not.to.match(/\r\n0\r\n\r\n$/);
      await innocents();
    });
  }

  for (const [name, { said, method, status, body }] of Object.entries(SERVED_ANSWERS)) {
    it(`passes on ${name} without what is behind it`, async () => {
      await using client = await RawClient.connect(port);
      await client.send(ask(pathOf(said), method)).until(new RegExp(`HTTP/1\\.1 ${status} [\\s\\S]*\\r\\n\\r\\n`));
      // What comes next on the same connection stands right behind its end.
      const next = `/next/${asked++}`;
      const text = await client.send(ask(next)).until(`asked ${next}.`);
      const behind = text.slice(text.indexOf('\r\n\r\n', text.indexOf(`HTTP/1.1 ${status} `)) + 4);
      expect(behind.slice(0, body.length)).to.equal(body);
      const after = behind.slice(body.length);
      expect(after)
        .to.match(/^HTTP\/1\.1 200 OK\r\n/)
        .and.not.include('POISON');
      expect(after.endsWith(`asked ${next}.`)).to.equal(true);
      expect(finals(after)).to.deep.equal([200]);
      await innocents();
    });
  }

  it('gives nobody an answer that nobody asked for', async () => {
    for (let round = 0; round < 5; round++) {
      await innocents();
      expect(app.speakUnasked(POISON)).to.be.greaterThan(0);
      // It may be under way when the next one asks: then that one is told that the app failed, never the poison.
      await using client = await RawClient.connect(port);
      const text = await client.send(ask(`/innocent/${asked++}`)).until(/\r\n\r\n[\s\S]+/);
      expect(text).not.to.include('POISON');
    }
    await innocents();
  });

  it('is not flooded by interim answers', async () => {
    const flood = 'HTTP/1.1 103 X\r\nLink: a\r\n\r\n'.repeat(5_000);
    await using client = await RawClient.connect(port);
    const text = await client
      .send(ask(pathOf(`${flood}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast`)))
      .until(/last|502/);
    expect(finals(text)).to.have.length(1);
    await innocents();
  });

  it('takes the rest of a body behind an early answer for no request', async () => {
    await using client = await RawClient.connect(port);
    const path = pathOf('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
    const hidden = ask('/smuggled');
    await client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length}\r\n\r\n`).until('early');
    // Whether the connection goes on is the sidecar's to say; if it does, the body is a body.
    client.send(hidden);
    const next = `/next/${asked++}`;
    const text = await client
      .send(ask(next))
      .until(/asked [^.]*\./)
      .catch(() => client.closed());
    expect(text).not.to.include('/smuggled');
    expect(finals(text)).to.have.length.within(1, 2);
    await innocents();
  });
});
