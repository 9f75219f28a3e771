import { expect } from 'chai';
import { endToEnd, endToEndTrailers } from '../../../sidecar/relay/hop-by-hop.ts';
import { scanHeaders } from '../../../sidecar/relay/raw-headers.ts';

describe('hop-by-hop fields', () => {
  it('are removed in any letter case and number, everything else is kept as it is', () => {
    const raw = [
      'Keep-Alive',
      'a',
      'B',
      '1',
      'PROXY-Connection',
      'x',
      'te',
      'gzip',
      'Upgrade',
      'h2c',
      'b',
      '2',
      'Proxy-Authorization',
      's',
      'Transfer-Encoding',
      'chunked',
      'HTTP2-Settings',
      'x',
    ];
    expect(endToEnd(raw, [])).to.deep.equal(['B', '1', 'b', '2']);
  });

  it('are also those that Connection lists, in any of its fields and in any letter case', () => {
    const raw = ['Connection', 'X-One, close', 'x-one', '1', 'connection', ' ,X-TWO', 'X-Two', '2', 'X-Three', '3'];
    const { connectionOptions } = scanHeaders(raw);
    expect(endToEnd(raw, connectionOptions)).to.deep.equal(['X-Three', '3']);
  });

  it('cannot be made of what gives a message its meaning', () => {
    const raw = [
      'Connection',
      'Host, Content-Length, Expect',
      'Host',
      'a',
      'Content-Length',
      '1',
      'Expect',
      '100-continue',
    ];
    const { connectionOptions } = scanHeaders(raw);
    expect(endToEnd(raw, connectionOptions)).to.deep.equal(raw.slice(2));
  });

  it('and fields that frame, route or authenticate are not taken from trailers', () => {
    const raw = [
      'Host',
      'b',
      'X-Sum',
      '1',
      'Authorization',
      'x',
      'Transfer-Encoding',
      'y',
      'x-sum',
      '2',
      'Set-Cookie',
      'z',
    ];
    expect(endToEndTrailers(raw)).to.deep.equal([
      ['X-Sum', '1'],
      ['x-sum', '2'],
    ]);
  });
});
