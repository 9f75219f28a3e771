import { expect } from 'chai';
import { forwardedTarget, isAuthority } from '../../../sidecar/relay/request-target.ts';

describe('request target', () => {
  it('changes nothing of a path', () => {
    for (const path of ['/', '//a//b', '/a/../b', '/%2e%2e/%00', '/a?b=c?d', '/a;b:c@d']) {
      expect(forwardedTarget('GET', path, 'a')).to.equal(path);
    }
  });

  it('makes the path of an absolute target of the same authority', () => {
    expect(forwardedTarget('GET', 'http://A:80/x?y', 'a:80')).to.equal('/x?y');
    expect(forwardedTarget('GET', 'http://a', 'a')).to.equal('/');
    expect(forwardedTarget('OPTIONS', 'http://a', 'a')).to.equal('*');
  });

  it('knows no other form', () => {
    for (const target of [
      '',
      'a',
      'a:80',
      '*',
      'http://b/',
      'http://',
      'ftp://a/',
      '/a#',
      'http://a/#b',
      'http://a@a/',
    ]) {
      expect(forwardedTarget('GET', target, 'a'), target).to.equal(undefined);
    }
  });

  it('takes for an authority only a host with at most a port', () => {
    for (const host of ['a', 'a.b-c_d', 'A:80', '1.2.3.4:1', '[::1]', '[::1]:8080', 'xn--a', 'a:']) {
      expect(isAuthority(host), host).to.equal(true);
    }
    for (const host of ['', ':80', 'a b', 'a,b', 'a/b', 'a@b', 'a:b', 'a:123456', '[::1', '::1', 'a\t', 'é']) {
      expect(isAuthority(host), host).to.equal(false);
    }
  });
});
