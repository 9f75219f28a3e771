import { expect } from 'chai';
import { HeadWriter } from '../../../sidecar/relay/http1-head-writer.ts';
import { requestOf } from '../../shared/http1/heads.ts';

const textOf = ({ buffer, length }: HeadWriter): string => buffer.toString('latin1', 0, length);

describe('the writer of heads', () => {
  it('puts pieces behind each other, whatever their sizes', () => {
    const { kept } = requestOf('GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \xe9\r\n\r\n');
    const long = 'y'.repeat(3000);
    const writer = new HeadWriter().begin().text('\xff').whole(kept).text(long).text('').fields(kept);
    expect(textOf(writer)).to.equal(`\xffGET /a HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n${long}Host: a\r\nX: \xe9\r\n`);
  });

  it('begins anew in the same memory, but does not keep that of a very large head', () => {
    const writer = new HeadWriter().begin().text('first');
    const { buffer } = writer;
    expect(textOf(writer.begin().text('2'))).to.equal('2');
    expect(writer.buffer).to.equal(buffer);
    writer.begin().text('x'.repeat(100_000));
    expect(textOf(writer.begin().text('small'))).to.equal('small');
    expect(writer.buffer.length).to.be.lessThan(1000);
  });
});
