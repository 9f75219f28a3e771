import { expect } from 'chai';
import { OpenFiles } from '../../../sidecar/listeners/open-files.ts';
import { StreamPlaces } from '../../../sidecar/listeners/stream-places.ts';

/** Of 48 that are reserved, and two for each connection. */
const filesFor = (connections: number): OpenFiles => new OpenFiles(48 + 2 * connections);

function taken(places: StreamPlaces, peer: string, count: number): number {
  return Array.from({ length: count }, () => places.begin(peer)).filter((why) => why === undefined).length;
}

describe('places for streams', () => {
  it('give one peer what a listener takes at most', () => {
    expect(taken(new StreamPlaces(filesFor(1000), 10), 'web', 12)).to.equal(10);
  });

  it('give one peer half of what the process may open, and others the rest', () => {
    const places = new StreamPlaces(filesFor(20), 1000);
    expect(taken(places, 'web', 10)).to.equal(10);
    expect(taken(places, 'other', 20)).to.equal(10);
    expect(places.begin('third')).to.equal('the process may open no more files');
  });

  it('are free again for whoever comes next, refused streams included', () => {
    const files = filesFor(4);
    const places = new StreamPlaces(files, 1000);
    for (let round = 0; round < 3; round++) {
      expect(taken(places, 'web', 4)).to.equal(2);
      for (let at = 0; at < 4; at++) places.end('web');
    }
    expect(files.full).to.equal(false);
  });
});
