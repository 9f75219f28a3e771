import { expect } from 'chai';
import { isLoopbackAddress, isLoopbackName } from '../../../sidecar/admin/loopback.ts';

describe('loopback', () => {
  for (const address of ['127.0.0.1:15000', '127.8.9.1:0', 'localhost:80', '[::1]:80']) {
    it(`is ${address}`, () => expect(isLoopbackAddress(address)).to.equal(true));
  }
  for (const address of [
    '0.0.0.0:80',
    ':80',
    '[::]:80',
    '10.0.0.1:80',
    'example.test:80',
    '127.0.0.1.example.test:80',
    'localhost.example.test:80',
    '127.0.0.1',
    '',
  ]) {
    it(`is not \`${address}\``, () => expect(isLoopbackAddress(address)).to.equal(false));
  }
  for (const host of ['127.0.0.1', '127.0.0.1:15000', 'localhost', 'LOCALHOST:1', '[::1]', '[::1]:15000']) {
    it(`is named by the Host header ${host}`, () => expect(isLoopbackName(host)).to.equal(true));
  }
  for (const host of [
    undefined,
    '',
    'evil.test',
    'evil.test:15000',
    '127.0.0.1.evil.test',
    'localhost.evil.test',
    '127.0.0.1@evil.test',
    '127.evil.test',
    '10.0.0.1',
    '127.0.0.1:x',
    '127.0.0.1 evil.test',
  ]) {
    it(`is not named by the Host header ${JSON.stringify(host)}`, () => expect(isLoopbackName(host)).to.equal(false));
  }
});
