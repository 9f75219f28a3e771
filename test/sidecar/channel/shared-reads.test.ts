import { expect } from 'chai';
import { lendReads, readLending } from '../../../sidecar/channel/shared-reads.ts';
import { socketPair } from '../../support/socket-pairs.ts';
import { until } from '../../support/until.ts';

describe('reads into the shared buffer', () => {
  it('happen on a TLS socket with this Node: the next read overwrites what came', async () => {
    await using pair = await socketPair('TLS');
    const kept: Buffer[] = [];
    readLending(pair.socket, (bytes) => void kept.push(bytes));
    pair.other.send('one');
    await until('it has come', () => kept.length === 1);
    expect(kept[0]!.toString()).to.equal('one');
    pair.other.send('two');
    await until('it has come, too', () => kept.length === 2);
    expect(kept.map(String)).to.deep.equal(['two', 'two']);
  });

  it('do not begin on a socket of which something has been read: it goes on, and nothing changes places', async () => {
    await using pair = await socketPair('TLS');
    pair.other.send('one');
    await until('it waits in the stream', () => pair.socket.readableLength === 3);
    const kept: Buffer[] = [];
    readLending(pair.socket, (bytes) => void kept.push(bytes));
    expect(lendReads(pair.socket, () => {})).to.equal(false);
    pair.other.send('two');
    await until('both have come', () => Buffer.concat(kept).length === 6);
    expect(Buffer.concat(kept).toString()).to.equal('onetwo');
  });
});
