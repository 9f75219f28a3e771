/**
 * Promise: no damage to a good CSR, not even one that its own key has signed, makes citadel fail inside, certify
 * another key or hand out another identity.
 * Real parts: citadel as a process. The damage is drawn from a fixed seed, so that a failure comes again.
 */
import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { encodePem } from '../../shared/x509/pem.ts';
import { type ApiAnswer, type CitadelClient, codeOf } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { damaged, draws, resigned } from '../support/damage.ts';
import { makeKeys, spkiOf } from '../support/test-certificate.ts';
import { testCsr } from '../support/test-csr.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { podFacts } from '../support/tokens.ts';

const OWN = 'spiffe://cluster.local/ns/shop/sa/web';
const SEED = 20_260_101;
const ROUNDS = 250;
const AT_ONCE = 16;

describe('citadel, offered damaged CSRs', () => {
  let issuer: TestIssuer;
  let citadel: CitadelProcess;
  let client: CitadelClient;
  let token: string;
  before(async () => {
    issuer = await TestIssuer.start();
    citadel = await CitadelProcess.start({ tokens: issuer });
    client = await citadel.client(AT_ONCE);
    token = issuer.token(podFacts());
  });
  after(async () => {
    await citadel?.[Symbol.asyncDispose]();
    issuer?.close();
  });

  const keys = makeKeys();
  const good = testCsr({ keys, uris: [OWN] });

  /** @returns how often each code was met; `issued` is one of them */
  const offerAll = async (csrs: readonly string[]): Promise<Map<string, number>> => {
    const seen = new Map<string, number>();
    const waiting = csrs.entries();
    const caller = async (): Promise<void> => {
      for (const [at, csr] of waiting) {
        const answer = await client.certificate(token, csr);
        const outcome = answer.status === 201 ? 'issued' : codeOf(answer);
        expect(isHarmless(answer), `damage ${at} of seed ${SEED}: ${outcome}`).to.equal(true);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, caller));
    expect((await client.certificate(token, freshCsr())).status).to.equal(201);
    expect(await citadel.refusals('citadel_internal')).to.equal(0);
    return seen;
  };

  const isHarmless = ({ status, json }: ApiAnswer): boolean => {
    if (status !== 201) return status >= 400 && status < 500 && String(json?.['code']).startsWith('csr_');
    const leaf = new X509Certificate((json!['certificateChain'] as string[])[0]!);
    const sameKey = leaf.publicKey.export({ type: 'spki', format: 'der' }).equals(spkiOf(keys.publicKey));
    return sameKey && leaf.subjectAltName === `URI:${OWN}` && !leaf.ca;
  };

  it('refuses every one whose signature does not cover the damage', async () => {
    const draw = draws(SEED);
    const csrs = Array.from({ length: ROUNDS }, () => encodePem('CERTIFICATE REQUEST', damaged(good, draw)));
    const seen = await offerAll(csrs);
    expect([...seen.keys()]).to.include.members(['csr_malformed', 'csr_signature_invalid']);
    expect(seen.get('issued')).to.equal(undefined);
  });

  it('gives no other key or identity to one that was damaged first and signed then', async () => {
    const draw = draws(SEED + 1);
    const csrs = Array.from({ length: ROUNDS }, () =>
      encodePem('CERTIFICATE REQUEST', resigned(damaged(infoOf(good), draw), keys.privateKey)),
    );
    const seen = await offerAll(csrs);
    // Deep enough: the damage gets past the signature and meets the rules behind it.
    expect([...seen.keys()]).to.include.members(['csr_malformed', 'csr_identity_mismatch', 'csr_signature_invalid']);
  });

  it('refuses or forgives damage to the PEM around it, and never fails', async () => {
    const draw = draws(SEED + 2);
    const text = Buffer.from(encodePem('CERTIFICATE REQUEST', good), 'latin1');
    const csrs = Array.from({ length: 100 }, () => damaged(text, draw).toString('latin1'));
    expect([...(await offerAll(csrs)).keys()]).to.include('csr_malformed');
  });
});

/** The part that is signed: the first element inside the outer sequence, whose header has three octets here. */
function infoOf(csr: Buffer): Buffer {
  const start = csr[1] === 0x82 ? 4 : 3;
  const length = csr[start + 1]! < 0x80 ? 2 + csr[start + 1]! : 3 + csr[start + 2]!;
  return csr.subarray(start, start + length);
}
