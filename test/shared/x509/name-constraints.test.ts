import { expect } from 'chai';
import { DerError, DerReader } from '../../../shared/x509/der-reader.ts';
import { context, contextPrimitive, seq } from '../../../shared/x509/der-writer.ts';
import { NAME_FORM } from '../../../shared/x509/general-names.ts';
import { permits, readNameConstraints } from '../../../shared/x509/name-constraints.ts';

const none = { permitted: [], excluded: [], otherForms: [] };
const named = (...uriNames: string[]) => ({ uriNames, otherNameForms: [], subjectEmpty: true });
const uri = (host: string) => contextPrimitive(6, Buffer.from(host));
const read = (der: Buffer) => readNameConstraints(new DerReader(der));

describe('name constraints on URI names', () => {
  const cases: readonly [string, string, boolean][] = [
    ['a.test', 'spiffe://a.test/x', true],
    ['a.test', 'spiffe://A.TEST/x', true],
    ['a.test', 'spiffe://a.test', true],
    ['a.test', 'https://a.test:443/x', true],
    ['a.test', 'https://user@a.test/x', true],
    ['a.test', 'https://a.test?x', true],
    ['a.test', 'spiffe://b.a.test/x', false],
    ['a.test', 'spiffe://xa.test/x', false],
    ['a.test', 'spiffe://a.test.evil/x', false],
    ['a.test', 'https://a.test@evil.test/x', false],
    ['a.test', 'spiffe://evil.test/spiffe://a.test', false],
    ['a.test', 'spiffe://evil.test?spiffe://a.test', false],
    ['a.test', 'urn:a.test', false],
    ['a.test', 'spiffe:///a.test', false],
    ['.test', 'spiffe://a.test/x', true],
    ['.test', 'spiffe://b.a.test/x', true],
    ['.test', 'spiffe://test/x', false],
    ['.test', 'spiffe://.test/x', false],
    ['.a.test', 'spiffe://a.test/x', false],
    ['', 'spiffe://a.test/x', false],
  ];
  for (const [constraint, name, permitted] of cases) {
    it(`"${constraint}" ${permitted ? 'permits' : 'does not permit'} ${name}`, () => {
      expect(permits({ ...none, permitted: [constraint] }, named(name))).to.equal(permitted);
    });
  }

  it('exclude over permitting, and an empty exclusion excludes all', () => {
    const name = named('spiffe://a.test/x');
    expect(permits({ ...none, permitted: ['a.test'], excluded: ['a.test'] }, name)).to.equal(false);
    expect(permits({ ...none, excluded: [''] }, name)).to.equal(false);
    expect(permits({ ...none, excluded: ['b.test'] }, name)).to.equal(true);
    expect(permits({ ...none, excluded: ['b.test'] }, named('urn:x')), 'no host to compare').to.equal(false);
  });

  it('must hold for every name, and hold when there is none', () => {
    const constraints = { ...none, permitted: ['a.test'] };
    expect(permits(constraints, named('spiffe://a.test/x', 'spiffe://b.test/x'))).to.equal(false);
    expect(permits(constraints, named())).to.equal(true);
  });
});

describe('name constraints on other forms', () => {
  const dns = { ...none, otherForms: [NAME_FORM.dns] };
  const directory = { ...none, otherForms: [NAME_FORM.directory] };

  it('refuse names of that form, since they are not interpreted', () => {
    expect(permits(dns, { ...named('spiffe://a.test/x'), otherNameForms: [NAME_FORM.dns] })).to.equal(false);
  });

  it('leave names of other forms alone', () => {
    expect(permits(dns, { ...named('spiffe://a.test/x'), otherNameForms: [NAME_FORM.ipAddress] })).to.equal(true);
    expect(permits(dns, named('urn:no-host')), 'not even a host is asked for').to.equal(true);
  });

  it('on directory names refuse a subject', () => {
    expect(permits(directory, named('spiffe://a.test/x'))).to.equal(true);
    expect(permits(directory, { ...named('spiffe://a.test/x'), subjectEmpty: false })).to.equal(false);
  });
});

describe('name constraints extension', () => {
  it('is read in both parts, in lower case', () => {
    expect(
      read(seq(context(0, seq(uri('A.test')), seq(uri('.b'))), context(1, seq(contextPrimitive(2, Buffer.from('c')))))),
    ).to.deep.equal({
      permitted: ['a.test', '.b'],
      excluded: [],
      otherForms: [NAME_FORM.dns],
    });
  });

  it('may have 64 subtrees', () => {
    expect(read(seq(context(0, ...Array.from({ length: 64 }, () => seq(uri('a')))))).permitted).to.have.lengthOf(64);
  });

  const refused: Record<string, Buffer> = {
    'nothing in it': seq(),
    'an empty part': seq(context(0)),
    'the parts in the wrong order': seq(context(1, seq(uri('a'))), context(0, seq(uri('a')))),
    'a minimum': seq(context(0, seq(uri('a'), contextPrimitive(0, Buffer.from([1]))))),
    'a third part': seq(context(0, seq(uri('a'))), context(2, seq(uri('a')))),
    'too many subtrees': seq(context(0, ...Array.from({ length: 65 }, () => seq(uri('a'))))),
    'a name that is not ASCII': seq(context(0, seq(contextPrimitive(6, Buffer.from([0xe4]))))),
  };
  for (const [what, der] of Object.entries(refused)) {
    it(`is refused with ${what}`, () => {
      expect(() => read(der)).to.throw(DerError);
    });
  }
});
