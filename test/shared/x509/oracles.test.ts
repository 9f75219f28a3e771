/**
 * Independent implementations decide as we do about every chain of the table, where they know the rule that is
 * broken. An accepted chain must be accepted by all of them.
 */
import { expect } from 'chai';
import { readCertificate } from '../../../shared/x509/certificate.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { keyIdOf } from '../../support/test-certificate.ts';
import { opensslOpinion, opensslText, peculiarOpinion, pkijsOpinion } from '../../support/x509-oracles.ts';
import { BROKEN_PATHS, GOOD_CHAINS } from './path-cases.ts';
import { NO_SVIDS } from './svid-cases.ts';

const CHAIN_CASES = [...GOOD_CHAINS, ...BROKEN_PATHS, ...NO_SVIDS];

type Oracle = 'openssl' | 'pkijs' | 'peculiar';

/** An oracle that cannot even read the certificate does not accept it. */
async function accepts(
  oracle: Oracle,
  chain: readonly Buffer[],
  root: Buffer,
): Promise<{ accepts: boolean; reason: string }> {
  if (oracle === 'openssl') {
    const opinions = await Promise.all(
      (['sslclient', 'sslserver'] as const).map((purpose) => opensslOpinion(chain, root, purpose)),
    );
    return opinions.find((opinion) => !opinion.accepts) ?? opinions[0]!;
  }
  try {
    return await (oracle === 'pkijs' ? pkijsOpinion(chain, root) : peculiarOpinion(chain, root));
  } catch (error) {
    return { accepts: false, reason: String(error) };
  }
}

for (const oracle of ['openssl', 'pkijs', 'peculiar'] as const) {
  describe(`${oracle} decides as we do`, () => {
    for (const { name, code, silent = [], make } of CHAIN_CASES) {
      if (silent.includes(oracle)) continue;
      it(`${code === undefined ? 'accepts' : 'refuses'} ${name}`, async () => {
        const { chain, root } = make();
        // The root goes to the oracles as trusted, never as part of the chain.
        const sent = chain.filter((der) => !der.equals(root));
        const opinion = await accepts(oracle, sent, root);
        expect(opinion.accepts, opinion.reason).to.equal(code === undefined);
      });
    }
  });
}

describe('openssl x509 -text', () => {
  it('reads the same as we do from a leaf', async () => {
    const uri = 'spiffe://a.test/ns/shop/sa/web';
    const { chainDer, keys } = createTestAuthority({ trustDomain: 'a.test' }).svid({
      uri,
      serial: Buffer.from('4f00ff', 'hex'),
    });
    const text = await opensslText(chainDer[0]!);
    const leaf = readCertificate(chainDer[0]!);
    expect(text).to.match(/Serial Number: 5177599 \(0x4f00ff\)/);
    expect(leaf.serial).to.equal('4f00ff');
    expect(text).to.match(/Subject Alternative Name: critical\s+URI:spiffe:\/\/a\.test\/ns\/shop\/sa\/web\n/);
    expect(leaf).to.deep.include({ uriNames: [uri], subjectAltNameCritical: true, subjectEmpty: true, otherNames: 0 });
    expect(text).to.match(/Key Usage: critical\s+Digital Signature\n/);
    expect(leaf.keyUsage).to.deep.equal({ critical: true, digitalSignature: true, keyCertSign: false, cRLSign: false });
    expect(text).to.match(/Basic Constraints: critical\s+CA:FALSE/);
    expect(leaf.isCa).to.equal(false);
    const written = text.match(/Not After : (.*)/)?.[1] ?? '';
    expect(leaf.notAfter).to.equal(Date.parse(written));
    expect(leaf.subjectKeyId?.equals(keyIdOf(keys.publicKey))).to.equal(true);
  });
});
