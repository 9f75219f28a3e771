import { createServer } from 'node:net';
import { expect } from 'chai';
import type { Refusal } from '../../../shared/errors/refusal.ts';
import { listen, parseListenAddress } from '../../../shared/process/listen-address.ts';

describe('an address to listen on', () => {
  it('is host and port, with IPv6 in brackets', () => {
    const read = (text: string): string => JSON.stringify(parseListenAddress(text));
    expect(read('127.0.0.1:80')).to.equal('{"host":"127.0.0.1","port":80}');
    expect(read('[::1]:80')).to.equal('{"host":"::1","port":80}');
    expect(read('localhost:0')).to.equal('{"host":"localhost","port":0}');
    expect(read(':80')).to.equal('{"host":"::","port":80}');
  });

  it('is nothing else', () => {
    for (const text of [
      '',
      '80',
      'a',
      'a:',
      'a:b',
      '::1:80',
      '[::1]',
      'a:65536',
      'a:80:80',
      'http://a:80',
      'a b:80',
      '[a]:80',
      'a:-1',
    ]) {
      expect(parseListenAddress(text), text).to.equal(undefined);
    }
  });

  it('tells the real port where 0 was asked for', async () => {
    const server = createServer();
    const { host, port } = await listen(server, '127.0.0.1:0');
    expect(host).to.equal('127.0.0.1');
    expect(port).to.be.greaterThan(0);
    server.close();
  });

  it('is refused with a code when it is taken or not of this machine', async () => {
    const first = createServer();
    const { port } = await listen(first, '127.0.0.1:0');
    const codeOf = (address: string): Promise<string> =>
      listen(createServer(), address).then(
        () => 'listens',
        (error: Refusal) => error.code,
      );
    expect(await codeOf(`127.0.0.1:${port}`)).to.equal('address_in_use');
    expect(await codeOf('192.0.2.1:0')).to.equal('address_unusable');
    first.close();
  });
});
