import { expect } from 'chai';
import { addressBytes } from '../../../citadel/authority/address-bytes.ts';

describe('an IP address as octets', () => {
  const cases: readonly [string, string][] = [
    ['127.0.0.1', '7f000001'],
    ['255.255.255.255', 'ffffffff'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['1::', `0001${'00'.repeat(14)}`],
    ['2001:db8::ff00:42:8329', '20010db8000000000000ff0000428329'],
    ['fe80:1:2:3:4:5:6:7', 'fe800001000200030004000500060007'],
    ['::ffff:10.0.0.200', '00000000000000000000ffff0a0000c8'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
  ];
  for (const [text, hex] of cases) {
    it(text, () => expect(addressBytes(text).toString('hex')).to.equal(hex));
  }

  for (const text of ['', 'localhost', '1.2.3', '256.0.0.1', '::1%eth0', 'fe80:::1']) {
    it(`is refused for ${JSON.stringify(text)}`, () => expect(() => addressBytes(text)).to.throw(TypeError));
  }
});
