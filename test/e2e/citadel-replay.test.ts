/**
 * Promise: a sidecar that renews, with a fresh key each time, is never taken for a thief; a token that shows up with
 * another key from another address, and a pod that shows up as somebody else, are always noticed, and refused where
 * the operator wants it. A thief never becomes familiar by trying again.
 * Real parts: two citadels as processes, one that flags and one that refuses; callers from different loopback addresses.
 */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { type ApiAnswer, type CitadelClient, codeOf } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { podFacts } from '../support/tokens.ts';

const OWNER = '127.0.0.1';
const THIEF = '127.0.0.2';

describe('a token that is used twice', () => {
  let issuer: TestIssuer;
  const citadels: Record<string, CitadelProcess> = {};
  const clients: Record<string, CitadelClient> = {};
  before(async () => {
    issuer = await TestIssuer.start();
    for (const replay of ['flag', 'refuse']) {
      citadels[replay] = await CitadelProcess.start({ tokens: issuer, settings: { attestation: { replay } } });
      clients[replay] = await citadels[replay].client();
    }
  });
  after(async () => {
    for (const citadel of Object.values(citadels)) await citadel[Symbol.asyncDispose]();
    issuer?.close();
  });

  const REPLAYS = 'citadel_replays_total{kind="token_replayed"}';
  const CONFLICTS = 'citadel_replays_total{kind="pod_identity_conflict"}';

  for (const mode of ['flag', 'refuse']) {
    /** Ends when the log line of the request is there too: what was said before it has been said then. */
    const ask = async (token: string, from: string, csr = freshCsr()): Promise<ApiAnswer> => {
      const answer = await clients[mode]!.certificate(token, csr, { from });
      await citadels[mode]!.logged(answer.headers['x-request-id']);
      return answer;
    };
    const issued = async (answer: Promise<ApiAnswer>): Promise<void> => {
      const { status, text } = await answer;
      expect(status, text).to.equal(201);
    };
    const suspicions = (kind: string, podUid: string) =>
      citadels[mode]!.running.events(
        ({ event, fields }) => event === 'replay_suspected' && fields['kind'] === kind && fields['podUid'] === podUid,
      );

    describe(`with attestation.replay: ${mode}`, () => {
      it('is no replay when the same sidecar renews with fresh keys', async () => {
        const before = await citadels[mode]!.metric(REPLAYS);
        const token = issuer.token();
        for (let renewals = 0; renewals < 12; renewals++) await issued(ask(token, OWNER));
        expect(await citadels[mode]!.metric(REPLAYS)).to.equal(before);
      });

      it('is no replay when the same key comes from another address: its holder has moved', async () => {
        const before = await citadels[mode]!.metric(REPLAYS);
        const token = issuer.token();
        const csr = freshCsr();
        await issued(ask(token, OWNER, csr));
        await issued(ask(token, THIEF, csr));
        await issued(ask(token, THIEF));
        expect(await citadels[mode]!.metric(REPLAYS)).to.equal(before);
      });

      it('is noticed with another key from another address, every time, and never disturbs the owner', async () => {
        const before = await citadels[mode]!.metric(REPLAYS);
        const facts = podFacts();
        const token = issuer.token(facts);
        await issued(ask(token, OWNER));
        for (let attempts = 0; attempts < 3; attempts++) {
          const answer = await ask(token, THIEF);
          if (mode === 'flag') expect(answer.status, answer.text).to.equal(201);
          else {
            expect([answer.status, codeOf(answer)]).to.deep.equal([403, 'token_replayed']);
            expect(citadels[mode]!.recorded(answer.headers['x-request-id'])).to.deep.equal([]);
          }
          await issued(ask(token, OWNER));
        }
        expect(await citadels[mode]!.metric(REPLAYS)).to.equal(before + 3);
        const lines = suspicions('token_replayed', facts.podUid);
        expect(lines).to.have.length(3);
        for (const { fields } of lines) {
          expect(fields).to.include({
            address: THIEF,
            refused: mode === 'refuse',
            spiffeId: 'spiffe://cluster.local/ns/shop/sa/web',
          });
          expect(fields).to.include.keys('tokenId', 'keyFingerprint');
        }
        expect(citadels[mode]!.output).not.to.include(token.split('.')[2]);
      });

      it('does not count as used by a CSR that proves no key', async () => {
        const token = issuer.token();
        const unproven = freshCsr().replace(/.{10}(?=\n-----END)/, 'AAAAAAAAAA');
        const refused = await ask(token, THIEF, unproven);
        expect(codeOf(refused)).to.be.oneOf(['csr_signature_invalid', 'csr_malformed']);
        await issued(ask(token, OWNER));
      });

      it('is noticed when the pod shows up under another identity', async () => {
        const before = await citadels[mode]!.metric(CONFLICTS);
        const podUid = randomUUID();
        await issued(ask(issuer.token(podFacts({ podUid })), OWNER));
        const answer = await ask(issuer.token(podFacts({ podUid, serviceAccount: 'admin' })), OWNER);
        if (mode === 'flag') expect(answer.status, answer.text).to.equal(201);
        else expect([answer.status, codeOf(answer)]).to.deep.equal([403, 'pod_identity_conflict']);
        expect(await citadels[mode]!.metric(CONFLICTS)).to.equal(before + 1);
        const [line, ...more] = suspicions('pod_identity_conflict', podUid);
        expect(more).to.deep.equal([]);
        expect(line?.fields).to.include({
          spiffeId: 'spiffe://cluster.local/ns/shop/sa/admin',
          refused: mode === 'refuse',
        });
      });

      it('is no conflict when another pod has the same service account', async () => {
        const before = await citadels[mode]!.metric(CONFLICTS);
        await issued(ask(issuer.token(podFacts()), OWNER));
        await issued(ask(issuer.token(podFacts()), THIEF));
        expect(await citadels[mode]!.metric(CONFLICTS)).to.equal(before);
      });
    });
  }
});
