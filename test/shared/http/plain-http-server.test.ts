import { expect } from 'chai';
import { PlainHttpServer, textPage } from '../../../shared/http/plain-http-server.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { RawClient, say } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';

const LARGE = 'x'.repeat(32 * 1024 * 1024);
const PLACES = 256;
const GET = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';

describe('the server of pages for operators', () => {
  let server: PlainHttpServer;
  let port: number;

  beforeEach(async () => {
    server = new PlainHttpServer({
      stallMs: 100,
      name: 'health',
      log: silentLog,
      pages: { '/healthz': () => textPage(200, 'ok\n'), '/large': () => textPage(200, LARGE) },
    });
    ({ port } = await server.listen('127.0.0.1:0'));
  });
  afterEach(() => server.close());

  it('answers a probe although somebody holds every place with connections that ask for nothing more', async () => {
    const holders: RawClient[] = [];
    for (let at = 0; at < PLACES + 20; at++) {
      const holder = await RawClient.connect(port);
      holders.push(holder);
      await holder.send(GET).until('ok');
    }
    expect(await say(port, GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))).to.match(/^HTTP\/1\.1 200 /);
    for (const { socket } of holders) socket.destroy();
  });

  it('lets no answer wait in memory for a reader that takes nothing of it', async () => {
    await using reader = await RawClient.connect(port);
    reader.socket.pause();
    reader.send(GET.replace('/healthz', '/large'));
    await until('it is connected', () => server.connections === 1);
    await until('it is given up', () => server.connections === 0);
  });
});
