import { expect } from 'chai';
import fc from 'fast-check';
import { isTrustDomainName, parseSpiffeId, SpiffeIdError, workloadId } from '../../../shared/spiffe/spiffe-id.ts';

describe('SPIFFE ID', () => {
  it('is taken apart into trust domain and path', () => {
    expect(parseSpiffeId('spiffe://cluster.local/ns/default/sa/web')).to.deep.equal({
      uri: 'spiffe://cluster.local/ns/default/sa/web',
      trustDomain: 'cluster.local',
      path: '/ns/default/sa/web',
    });
  });

  it('may name the trust domain alone, with an empty path', () => {
    expect(parseSpiffeId('spiffe://cluster.local')).to.include({ trustDomain: 'cluster.local', path: '' });
  });

  const good = [
    'spiffe://1.2.3.4/a',
    'spiffe://a_b-c.d/x',
    'spiffe://x/A.B_C-9',
    'spiffe://x/...',
    'spiffe://x/.a',
    `spiffe://${'a'.repeat(255)}/b`,
    `spiffe://x/${'a'.repeat(2048 - 'spiffe://x/'.length)}`,
  ];
  for (const uri of good) {
    it(`takes ${uri.length > 60 ? `${uri.length} bytes` : uri}`, () => {
      expect(parseSpiffeId(uri).uri).to.equal(uri);
    });
  }

  const bad: Record<string, string> = {
    'empty text': '',
    'another scheme': 'https://x/a',
    'upper case scheme': 'SPIFFE://x/a',
    'one slash': 'spiffe:/x/a',
    'no trust domain': 'spiffe:///a',
    'scheme only': 'spiffe://',
    'upper case trust domain': 'spiffe://X/a',
    port: 'spiffe://x:80/a',
    user: 'spiffe://u@x/a',
    'IPv6 literal': 'spiffe://[::1]/a',
    'percent-encoded trust domain': 'spiffe://x%61/a',
    query: 'spiffe://x/a?b',
    fragment: 'spiffe://x/a#b',
    'query without path': 'spiffe://x?b',
    'trailing slash': 'spiffe://x/a/',
    'root path with slash': 'spiffe://x/',
    'empty segment': 'spiffe://x/a//b',
    'dot segment': 'spiffe://x/./a',
    'dot dot segment': 'spiffe://x/a/..',
    'percent-encoded path': 'spiffe://x/%61',
    tilde: 'spiffe://x/~a',
    colon: 'spiffe://x/a:b',
    'at sign': 'spiffe://x/a@b',
    'non-ASCII letter': 'spiffe://x/ä',
    'NUL inside': 'spiffe://x/a\0b',
    'new line at the end': 'spiffe://x/a\n',
    'new line after the trust domain': 'spiffe://x\n',
    'space in front': ' spiffe://x/a',
    '256 byte trust domain': `spiffe://${'a'.repeat(256)}/b`,
    '2049 bytes': `spiffe://x/${'a'.repeat(2049 - 'spiffe://x/'.length)}`,
  };
  for (const [what, uri] of Object.entries(bad)) {
    it(`refuses ${what}`, () => {
      expect(() => parseSpiffeId(uri)).to.throw(SpiffeIdError);
    });
  }

  it('takes exactly the bytes of the grammar in a trust domain and in a path segment', () => {
    for (let code = 0; code < 256; code += 1) {
      const character = String.fromCharCode(code);
      const inDomain = /[a-z0-9._-]/.test(character);
      const inPath = /[a-zA-Z0-9._-]/.test(character);
      expect(isTrustDomainName(`a${character}b`), `domain ${code}`).to.equal(inDomain);
      const segment = () => parseSpiffeId(`spiffe://x/a${character}b`);
      if (inPath || character === '/') expect(segment, `path ${code}`).not.to.throw();
      else expect(segment, `path ${code}`).to.throw(SpiffeIdError);
    }
  });

  it('throws nothing but SpiffeIdError, and what it takes it gives back unchanged', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'spiffe:/.a%?#@') }), fc.webUrl());
    fc.assert(
      fc.property(text, (tail) => {
        for (const uri of [tail, `spiffe://${tail}`]) {
          try {
            const id = parseSpiffeId(uri);
            expect(`spiffe://${id.trustDomain}${id.path}`).to.equal(uri);
          } catch (error) {
            expect(error).to.be.instanceOf(SpiffeIdError);
          }
        }
      }),
    );
  });

  it('does not repeat refused text in its error', () => {
    expect(() => parseSpiffeId('spiffe://x/secret word')).to.throw(SpiffeIdError, /^(?!.*secret)/);
  });
});

describe('workload ID', () => {
  it('has the namespace and the service account in its path', () => {
    expect(workloadId('cluster.local', 'shop', 'web').uri).to.equal('spiffe://cluster.local/ns/shop/sa/web');
  });

  it('takes dots in a service account, which Kubernetes allows', () => {
    expect(workloadId('x', 'shop', 'web.v1').path).to.equal('/ns/shop/sa/web.v1');
  });

  const shifting: readonly [string, string][] = [
    ['a/sa/admin', 'web'],
    ['a', 'web/x'],
    ['', 'web'],
    ['a', ''],
    ['..', 'web'],
    ['a', '.'],
    ['a', 'we:b'],
    ['a', 'we%2fb'],
  ];
  for (const [namespace, account] of shifting) {
    it(`refuses namespace "${namespace}" with account "${account}"`, () => {
      expect(() => workloadId('x', namespace, account)).to.throw(SpiffeIdError);
    });
  }

  it('refuses a result that is too long, and a bad trust domain', () => {
    expect(() => workloadId('x', 'a'.repeat(2000), 'b'.repeat(50))).to.throw(SpiffeIdError);
    expect(() => workloadId('X', 'a', 'b')).to.throw(SpiffeIdError);
    expect(() => workloadId('x/ns/y', 'a', 'b'), 'a path in the trust domain').to.throw(SpiffeIdError);
  });
});
