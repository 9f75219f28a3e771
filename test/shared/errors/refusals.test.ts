import { expect } from 'chai';
import { CONFIG_REFUSALS } from '../../../shared/errors/config-refusals.ts';
import { CSR_REFUSALS } from '../../../shared/errors/csr-refusals.ts';
import { ISSUANCE_REFUSALS } from '../../../shared/errors/issuance-refusals.ts';
import { PEER_REFUSALS } from '../../../shared/errors/peer-refusals.ts';
import { codeInProblem, problemOf } from '../../../shared/errors/problem.ts';
import { asRefusal, isRefusalCode, REFUSALS, Refusal, type RefusalCode } from '../../../shared/errors/refusal.ts';
import { RELAY_REFUSALS } from '../../../shared/errors/relay-refusals.ts';
import { TOKEN_REFUSALS } from '../../../shared/errors/token-refusals.ts';
import { TUNNEL_REFUSALS } from '../../../shared/errors/tunnel-refusals.ts';

describe('the table of refusals', () => {
  const rows = Object.entries(REFUSALS);

  it('has each code in one subject only', () => {
    const subjects = [
      CONFIG_REFUSALS,
      CSR_REFUSALS,
      ISSUANCE_REFUSALS,
      PEER_REFUSALS,
      RELAY_REFUSALS,
      TOKEN_REFUSALS,
      TUNNEL_REFUSALS,
    ];
    const codes = subjects.flatMap((subject) => Object.keys(subject));
    expect(codes).to.have.length(new Set(codes).size);
    expect(codes).to.have.members(rows.map(([code]) => code));
  });

  it('says in every row, in sentences, what happened and what to do', () => {
    for (const [code, { status, message, help }] of rows) {
      expect(code).to.match(/^[a-z]+(_[a-z]+)*$/);
      expect(status, code).to.be.within(400, 599);
      expect(message, code).to.match(/^\S.{10,}\.$/);
      expect(help, code).to.match(/^\S.{10,}[.`]$/);
    }
  });

  it('answers what is wrong with a token by 401 or 403, and what could not be judged by 503', () => {
    for (const [code, { status }] of Object.entries(TOKEN_REFUSALS)) {
      expect(code.endsWith('_unavailable') ? [503] : [401, 403], code).to.include(status);
    }
  });
});

describe('a refusal', () => {
  it('shows a caller the message of the table only', () => {
    const refusal = new Refusal('token_expired', { detail: 'expired at noon', cause: new Error('inner') });
    expect(problemOf(refusal)).to.deep.equal({
      type: 'urn:sallyport:refusal:token_expired',
      title: REFUSALS.token_expired.message,
      status: 401,
      code: 'token_expired',
    });
    expect(refusal).to.include({ detail: 'expired at noon', message: REFUSALS.token_expired.message });
  });

  it('is found again in the problem details that it became', () => {
    const roundTrip = (code: RefusalCode): unknown =>
      codeInProblem(JSON.parse(JSON.stringify(problemOf(new Refusal(code)))));
    for (const code of Object.keys(REFUSALS) as RefusalCode[]) expect(roundTrip(code)).to.equal(code);
  });

  it('is not found in what is no problem of ours', () => {
    for (const body of [
      undefined,
      null,
      'token_expired',
      [],
      {},
      { code: 7 },
      { code: 'toString' },
      { code: '__proto__' },
      { code: 'unheard_of' },
    ]) {
      expect(codeInProblem(body)).to.equal(undefined);
    }
    expect(isRefusalCode('constructor')).to.equal(false);
  });

  it('stays itself when it is caught, and takes over the words of anything else as detail', () => {
    const refusal = new Refusal('rate_limited', { retryAfterSeconds: 2 });
    expect(asRefusal(refusal, 'citadel_internal')).to.equal(refusal);
    const cause = new RangeError('off by one');
    const wrapped = asRefusal(cause, 'citadel_internal');
    expect(wrapped).to.include({ code: 'citadel_internal', detail: 'RangeError: off by one', cause });
    expect(asRefusal('text', 'citadel_internal').detail).to.equal('text');
  });
});
