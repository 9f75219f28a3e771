/** That every rival's configuration starts and carries a request over mutual TLS: else a figure would be of nothing. */
import { connect } from 'node:tls';
import { expect } from 'chai';
import { until } from '../support/until.ts';
import { type HopSite, openSite } from './hop-site.ts';
import type { Hop, Variant } from './variant.ts';
import { NotHere } from './variant.ts';
import { VARIANTS } from './variants.ts';

describe('the rivals of the bench', () => {
  let site: HopSite;

  before(async () => {
    site = await openSite({
      signal: new AbortController().signal,
      withEnvoy: true,
      withSidecar: false,
      progress: () => {},
    });
  });

  after(async () => {
    await site[Symbol.asyncDispose]();
  });

  for (const variant of VARIANTS.filter(({ ours }) => !ours)) {
    it(`${variant.name} answers through both proxies, and refuses whoever has no certificate`, async () => {
      const hop = await startIfHere(variant);
      if (!hop) return; // Envoy on a machine without the Python package index
      const answer = await fetch(`http://127.0.0.1:${hop.entryPort}/1k`);
      expect(answer.status).to.equal(200);
      expect(await answer.text()).to.have.lengthOf(1024);
      const large = await fetch(`http://127.0.0.1:${hop.entryPort}/64k`);
      expect((await large.arrayBuffer()).byteLength).to.equal(65_536);
      expect(await saidToStranger(hop.middlePort)).not.to.include('200');
      await hop.stop();
    });
  }

  it('an app that speaks HTTP/2 is reached through what carries bytes', async () => {
    const variant = VARIANTS.find(({ name }) => name === 'nginx-stream')!;
    const hop = await variant.start(site, site.app.http2Port);
    const text = await site.programs.output('h2load', [
      ...['h2load', '-n', '10', '-c', '1', `http://127.0.0.1:${hop.entryPort}/1k`],
    ]);
    expect(text).to.include('10 succeeded, 0 failed');
    await hop.stop();
  });

  async function startIfHere(variant: Variant): Promise<Hop | undefined> {
    try {
      return await variant.start(site, site.app.port);
    } catch (error) {
      if (error instanceof NotHere) return undefined;
      throw error;
    }
  }
});

/** What somebody without a certificate is answered; nothing when the connection is cut. */
async function saidToStranger(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  let said = '';
  let ended = false;
  socket.on('data', (part) => (said += String(part)));
  socket.on('error', () => socket.destroy()); // the alert of a refusal
  socket.on('close', () => (ended = true));
  socket.write('GET /1k HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n');
  await until('the stranger is sent away', () => ended);
  return said;
}
