import { expect } from 'chai';
import { createLog } from '../../../shared/log/log.ts';
import { accessLogTo } from '../../../sidecar/telemetry/access-log.ts';
import { httpApp } from '../../support/app-server.ts';
import { say } from '../../support/raw-client.ts';
import { httpRig } from '../../support/relay-rig.ts';
import { until } from '../../support/until.ts';

describe('access log', () => {
  it('has one line per request, with its id and without query, header or body', async () => {
    const lines: string[] = [];
    const log = createLog({
      program: 'sidecar',
      level: 'info',
      format: 'json',
      out: { write: (line) => lines.push(line) },
    });
    const access = accessLogTo(log.child({ direction: 'inbound', listener: 'app' }), 'info');
    await using app = await httpApp((_request, response) => response.end('sensitive'));
    await using rig = await httpRig({ to: app.port, peer: 'spiffe://cluster.local/ns/shop/sa/web' });
    await say(
      rig.port,
      'GET /a/b?token=sensitive HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-7\r\nCookie: sensitive\r\nConnection: close\r\n\r\n',
    );
    await until('the request is told', () => rig.served[0]);
    access.request(rig.served[0]!);
    const [line] = lines.map((one) => JSON.parse(one));
    expect(line).to.include({
      event: 'request_served',
      direction: 'inbound',
      listener: 'app',
      requestId: 'id-7',
      method: 'GET',
      path: '/a/b',
      status: 200,
      peer: 'spiffe://cluster.local/ns/shop/sa/web',
      answerBytes: 9,
    });
    expect(lines.join()).not.to.contain('sensitive');
  });

  it('is not told by a caller what to write', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using rig = await httpRig({ to: app.port });
    for (const id of ['', 'a b', 'x'.repeat(200), '{"a":1}', '\xe9']) {
      await say(rig.port, `GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\nConnection: close\r\n\r\n`);
    }
    await until('all are told', () => rig.served.length === 5);
    for (const { requestId } of rig.served) expect(requestId).to.match(/^[0-9a-f-]{36}$/);
  });

  it('writes nothing at a level that is not wanted', () => {
    const lines: string[] = [];
    const log = createLog({
      program: 'sidecar',
      level: 'info',
      format: 'json',
      out: { write: (line) => lines.push(line) },
    });
    accessLogTo(log, 'debug').connection({
      refusal: '',
      durationMs: 1,
      receivedBytes: 1,
      sentBytes: 1,
      peer: undefined,
      own: undefined,
    });
    expect(lines).to.deep.equal([]);
  });
});
