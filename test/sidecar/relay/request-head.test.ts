import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import { requestHead, requestIdIn } from '../../../sidecar/relay/request-head.ts';
import { newRequestId } from '../../../sidecar/relay/request-id.ts';
import { checkRequest } from '../../../sidecar/relay/request-rules.ts';

function headOf(method: string, rawHeaders: string[], newRequestId?: string): string[] {
  const request = { method, url: '/', httpVersion: '1.1', rawHeaders } as IncomingMessage;
  return requestHead(method, rawHeaders, checkRequest(request, 100), { peer: 'By=a', newRequestId });
}

describe('head of a request upstream', () => {
  it('says no length only for methods that have no body by themselves', () => {
    expect(headOf('GET', ['Host', 'a'])).not.to.include('Content-Length');
    expect(headOf('POST', ['Host', 'a'])).to.include.members(['Content-Length', '0']);
    expect(
      headOf('POST', ['Host', 'a', 'Content-Length', '0']).filter((part) => part === 'Content-Length'),
    ).to.have.length(1);
  });

  it('announces trailers only with the chunked coding that can carry them', () => {
    expect(headOf('POST', ['Host', 'a', 'Trailer', 'X', 'Content-Length', '1'])).not.to.include('Trailer');
    expect(headOf('POST', ['Host', 'a', 'Trailer', 'X', 'Transfer-Encoding', 'chunked'])).to.include('Trailer');
  });

  it('asks for trailers on the new connection only when the caller did', () => {
    expect(headOf('GET', ['Host', 'a', 'TE', 'gzip;q=1, trailers']).slice(-4)).to.deep.equal([
      'TE',
      'trailers',
      'Connection',
      'keep-alive, TE',
    ]);
    expect(headOf('GET', ['Host', 'a', 'TE', 'gzip'])).not.to.include('TE');
  });

  it('has one request id: the caller’s when it sent one that can be logged, else a new one', () => {
    const twice = ['Host', 'a', 'X-Request-Id', '1', 'x-request-id', '2'];
    expect(requestIdIn(twice)).to.equal(undefined);
    expect(headOf('GET', twice, 'fresh')).to.deep.equal([
      'Host',
      'a',
      'X-Request-Id',
      'fresh',
      'X-Forwarded-Client-Cert',
      'By=a',
    ]);
    expect(requestIdIn(['x-REQUEST-id', 'abc-1'])).to.equal('abc-1');
    expect(newRequestId({ draw: () => 0, bytes: (count) => Buffer.alloc(count, 0xff) })).to.equal(
      'ffffffff-ffff-4fff-bfff-ffffffffffff',
    );
  });
});
