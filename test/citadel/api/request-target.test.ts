import { expect } from 'chai';
import { pathOf } from '../../../citadel/api/request-target.ts';
import { refusalCodeOf } from '../../support/refusals.ts';

describe('the target of a request', () => {
  for (const target of [
    '/v1/bundle',
    '/v1/bundle?a=https://other/',
    'https://citadel.sallyport.svc/v1/bundle',
    'https://citadel.sallyport.svc:8443/v1/bundle?x',
    'HTTPS://CITADEL/v1/bundle',
    'https://127.0.0.1:8443/v1/bundle',
    'https://[::1]:8443/v1/bundle',
    'https://citadel:/v1/bundle',
  ]) {
    it(`leads to its path: ${target}`, () => expect(pathOf(target)).to.equal('/v1/bundle'));
  }

  for (const target of ['https://citadel', 'https://citadel:8443', 'https://citadel?x=/v1/bundle']) {
    it(`with an empty path is the root: ${target}`, () => expect(pathOf(target)).to.equal('/'));
  }

  for (const target of [
    'http://citadel/v1/bundle',
    'ftp://citadel/v1/bundle',
    'https:///v1/bundle',
    'https://user@citadel/v1/bundle',
    'https://citadel:8443:1/v1/bundle',
    'https://cita del/v1/bundle',
    'https://citadel\\v1/bundle',
    'https://citadel#/v1/bundle',
    'https://[::1/v1/bundle',
    'https://citadel%2f/v1/bundle',
  ]) {
    it(`is refused when another server could be meant: ${target}`, async () => {
      expect(await refusalCodeOf(() => pathOf(target))).to.equal('request_malformed');
    });
  }

  for (const target of [
    '*',
    'citadel:8443',
    '',
    'v1/bundle',
    'https:/v1/bundle',
    '//citadel/v1/bundle',
    '/v1/bundle#x',
  ]) {
    it(`stays as it is where it names no path of ours: ${JSON.stringify(target)}`, () => {
      expect(pathOf(target)).to.equal(target);
    });
  }
});
