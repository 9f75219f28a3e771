import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { Counted } from './h2-calls-rig.ts';

const BODY = 1000;

describe('calls of a client that is not Node', () => {
  it('are all counted, over many connections with many streams each', async () => {
    const app = http2.createServer((_, response) => {
      response.setHeader('content-type', 'application/grpc');
      response.addTrailers({ 'grpc-status': '0' });
      response.end(Buffer.alloc(BODY));
    });
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const readers: Counted[] = [];
    const pipe = net.createServer((client) => {
      const counted = new Counted();
      readers.push(counted);
      const server = net.connect({ port: (app.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
      client.on('data', (bytes) => {
        counted.take({ fromClient: true, bytes: bytes as Buffer });
        server.write(bytes);
      });
      server.on('data', (bytes) => {
        counted.take({ fromClient: false, bytes: bytes as Buffer });
        client.write(bytes);
      });
      client.on('close', () => server.destroy()).on('error', () => server.destroy());
      server.on('close', () => client.destroy()).on('error', () => client.destroy());
    });
    pipe.listen(0, '127.0.0.1');
    await once(pipe, 'listening');
    const url = `http://127.0.0.1:${(pipe.address() as AddressInfo).port}/pkg.Service/Call`;
    const { stdout } = await promisify(execFile)('h2load', ['-n', '20000', '-c', '8', '-m', '50', url]);
    pipe.close();
    app.close();
    expect(stdout).to.include('20000 succeeded');
    const served = readers.flatMap((one) => one.served);
    expect(readers.flatMap((one) => one.lost)).to.deep.equal([]);
    expect(served).to.have.length(20_000);
    expect(served.every((one) => one.grpcStatus === '0' && one.answerBytes === BODY && one.refusal === '')).to.equal(
      true,
    );
  });
});
