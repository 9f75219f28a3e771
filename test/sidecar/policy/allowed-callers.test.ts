import { expect } from 'chai';
import fc from 'fast-check';
import { parseSpiffeId, SpiffeIdError } from '../../../shared/spiffe/spiffe-id.ts';
import { faultOfEntry, mayCall, parseAllowed } from '../../../sidecar/policy/allowed-callers.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';

function lets(entries: readonly string[], caller: string): boolean {
  return mayCall(parseAllowed(entries), parseSpiffeId(caller));
}

/** Few letters, so that names often begin or continue each other. */
const segment = fc.stringMatching(/^[ab.]{1,3}$/).filter((text) => text !== '.' && text !== '..');
const trustDomain = fc.constantFrom('a', 'ab', 'a.b', 'b');
const path = fc.array(segment, { minLength: 1, maxLength: 4 });
const workload = fc.tuple(trustDomain, path).map(([domain, names]) => `spiffe://${domain}/${names.join('/')}`);
const below = fc
  .tuple(trustDomain, fc.array(segment, { maxLength: 3 }))
  .map(([domain, names]) => `spiffe://${[domain, ...names].join('/')}/*`);
const entries = fc.array(fc.oneof(workload, below), { minLength: 1, maxLength: 6 });

describe('a list of callers', () => {
  it('lets in whom it names', () => {
    expect(lets([WEB], WEB)).to.equal(true);
    expect(lets(['spiffe://cluster.local/ns/shop/sa/orders', WEB], WEB)).to.equal(true);
  });

  const below: readonly (readonly [string, string])[] = [
    ['spiffe://cluster.local/ns/shop/*', WEB],
    ['spiffe://cluster.local/ns/shop/sa/*', WEB],
    ['spiffe://cluster.local/ns/*', WEB],
    ['spiffe://cluster.local/*', WEB],
    ['spiffe://cluster.local/*', 'spiffe://cluster.local/x'],
  ];
  for (const [entry, caller] of below) {
    it(`lets in everyone below: ${entry} has ${caller}`, () => expect(lets([entry], caller)).to.equal(true));
  }

  const others: readonly (readonly [string, string, string])[] = [
    ['another service account', WEB, 'spiffe://cluster.local/ns/shop/sa/webs'],
    ['one whose name is the beginning of the named', WEB, 'spiffe://cluster.local/ns/shop/sa/we'],
    ['one above the named', WEB, 'spiffe://cluster.local/ns/shop/sa'],
    ['one below the named', WEB, `${WEB}/admin`],
    ['the same path of another trust domain', WEB, 'spiffe://cluster.locals/ns/shop/sa/web'],
    ['the named in another case', WEB, 'spiffe://cluster.local/ns/shop/sa/Web'],
    ['a name that only begins alike', 'spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/shopping/sa/web'],
    ['the name itself that others are below of', 'spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/shop'],
    ['a shorter name', 'spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns'],
    ['another trust domain', 'spiffe://cluster.local/*', 'spiffe://cluster.local.evil/ns/shop/sa/web'],
    ['a trust domain that is a path elsewhere', 'spiffe://shop/*', 'spiffe://cluster.local/ns/shop/sa/web'],
    ['the trust domain itself', 'spiffe://cluster.local/*', 'spiffe://cluster.local'],
  ];
  for (const [who, entry, caller] of others) {
    it(`does not let in ${who}`, () => expect(lets([entry], caller)).to.equal(false));
  }

  it('lets in everyone who proved who it is when there is none, and nobody when it is empty', () => {
    expect(mayCall(undefined, parseSpiffeId(WEB))).to.equal(true);
    expect(lets([], WEB)).to.equal(false);
  });

  it('lets nobody in who does not share the trust domain of an entry', () => {
    fc.assert(
      fc.property(entries, workload, (list, caller) => {
        const domains = list.map((entry) => entry.split('/')[2]);
        fc.pre(!domains.includes(caller.split('/')[2]));
        expect(lets(list, caller)).to.equal(false);
      }),
    );
  });

  it('decides as a comparison of segments does', () => {
    const covers = (entry: string, caller: string): boolean => {
      const [wanted, has] = [entry.split('/'), caller.split('/')];
      const isBelow = wanted.at(-1) === '*';
      if (isBelow ? has.length < wanted.length : has.length !== wanted.length) return false;
      return wanted.slice(0, isBelow ? -1 : undefined).every((one, at) => one === has[at]);
    };
    fc.assert(
      fc.property(entries, workload, (list, caller) => {
        expect(lets(list, caller)).to.equal(list.some((entry) => covers(entry, caller)));
      }),
      { numRuns: 2000 },
    );
  });

  it('lets in whoever continues a name by a slash, and nobody who continues it by a letter', () => {
    fc.assert(
      fc.property(workload, path, (above, names) => {
        expect(lets([`${above}/*`], `${above}/${names.join('/')}`)).to.equal(true);
        expect(lets([`${above}/*`], `${above}${names.join('/')}`)).to.equal(false);
        expect(lets([`${above}/*`], above)).to.equal(false);
      }),
    );
  });

  it('lets in no fewer with an entry more', () => {
    fc.assert(
      fc.property(entries, entries, workload, (list, more, caller) => {
        if (lets(list, caller)) expect(lets([...list, ...more], caller)).to.equal(true);
      }),
    );
  });
});

describe('an entry', () => {
  it('is an ID, or one with all below it', () => {
    for (const entry of [WEB, 'spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/*'])
      expect(faultOfEntry(entry), entry).to.equal(undefined);
  });

  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['half a name', 'spiffe://cluster.local/ns/shop*', /last one only/],
    ['a star in the middle', 'spiffe://cluster.local/ns/*/sa/web', /last one only/],
    ['two stars', 'spiffe://cluster.local/ns/*/*', /last one only/],
    ['a double star', 'spiffe://cluster.local/ns/**', /last one only/],
    ['any trust domain', 'spiffe://*/ns/shop/sa/web', /last one only/],
    ['everyone everywhere', 'spiffe://*', /last one only/],
    ['a star alone', '*', /spiffe:\/\//],
    ['no trust domain', 'spiffe:///*', /trust domain/],
    ['an empty name before the star', 'spiffe://cluster.local//*', /segment/],
    ['a slash at the end', 'spiffe://cluster.local/ns/shop/', /segment/],
    ['a trust domain alone', 'spiffe://cluster.local', /no workload/],
    ['a way up', 'spiffe://cluster.local/ns/../*', /segment/],
    ['an escape', 'spiffe://cluster.local/ns/%2a/sa/web', /segment/],
    ['capitals in the trust domain', 'spiffe://Cluster.local/*', /trust domain/],
    ['another scheme', 'https://cluster.local/ns/shop/*', /spiffe:\/\//],
    ['a short name', 'web', /spiffe:\/\//],
    ['nothing', '', /spiffe:\/\//],
    ['a list', `${WEB},${WEB}`, /segment/],
    ['a space behind it', `${WEB} `, /segment/],
    ['more than an ID may have', `spiffe://cluster.local/${'a'.repeat(2048)}/*`, /longer/],
  ];
  for (const [what, entry, fault] of wrong) {
    it(`is not ${what}`, () => {
      expect(faultOfEntry(entry)).to.match(fault);
      expect(() => parseAllowed([WEB, entry])).to.throw(SpiffeIdError);
    });
  }

  it('that is wrong is not repeated in words', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), (text) => {
        expect(faultOfEntry(text) ?? '').not.to.include(text);
      }),
    );
  });
});
