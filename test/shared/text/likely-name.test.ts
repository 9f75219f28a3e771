import { expect } from 'chai';
import { likelyName, meant } from '../../../shared/text/likely-name.ts';

describe('the name that was likely meant', () => {
  const names = ['bodyBytes', 'listen', 'to', 'app', '--config'];

  it('is the nearest within two slips', () => {
    expect(likelyName('bodyByte', names)).to.equal('bodyBytes');
    expect(likelyName('lsiten', names)).to.equal('listen');
    expect(likelyName('--cnfig', names)).to.equal('--config');
    expect(likelyName('apps', ['map', 'app'])).to.equal('app');
    expect(likelyName('lstne', names)).to.equal(undefined);
  });

  it('may be written in another style', () => {
    for (const word of ['body_bytes', 'body-bytes', 'BODYBYTES', 'Body_Byte']) {
      expect(likelyName(word, names), word).to.equal('bodyBytes');
    }
  });

  it('is not any short name for any other', () => {
    expect(likelyName('ab', names)).to.equal(undefined);
    expect(likelyName('url', names)).to.equal(undefined);
    expect(likelyName('too', names)).to.equal('to');
  });

  it('is told as a question, or not at all', () => {
    expect(meant('tp', names)).to.equal(', did you mean `to`?');
    expect(meant('colour', names)).to.equal('');
  });
});
