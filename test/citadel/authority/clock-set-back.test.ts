/** A clock that was ahead for a while: certificates made then are not valid yet once it is right again. */
import { expect } from 'chai';
import { validityProblem } from '../../../citadel/authority/authority.ts';
import type { AuthorityEvent, AuthorityKeeper } from '../../../citadel/authority/authority-keeper.ts';
import { openAuthority } from '../../../citadel/authority/open-authority.ts';
import { AuthorityFolder, cacertsOf } from '../../support/authority-folder.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { refusalCodeOf } from '../../support/refusals.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const DAY = 86_400_000;

describe('an authority whose clock was ahead', () => {
  const begins = (keeper: AuthorityKeeper): number => keeper.current().issuer.certificate.notBefore;

  it('renews the intermediate that it made then, as soon as the clock is right', async () => {
    await using folder = await AuthorityFolder.create();
    const clock = new FakeClock();
    const events: AuthorityEvent[] = [];
    const keeper = await openAuthority({ ...folder.options(clock), onEvent: (event) => events.push(event) });
    clock.jump(40 * DAY);
    await keeper.check();
    clock.jump(-40 * DAY);
    expect(begins(keeper)).to.be.greaterThan(clock.now());
    await keeper.check();
    expect(begins(keeper)).to.be.lessThan(clock.now());
    expect(events).to.deep.equal(['renewed', 'renewed']);
  });

  it('renews it at the start, when it was stopped in between', async () => {
    await using folder = await AuthorityFolder.create();
    const clock = new FakeClock();
    const first = await openAuthority(folder.options(clock));
    clock.jump(40 * DAY);
    await first.check();
    clock.jump(-40 * DAY);
    const log = new RecordedLog();
    const second = await openAuthority({ ...folder.options(clock), log });
    expect(begins(second)).to.be.lessThan(clock.now());
    expect(log.events('authority_renewed_out_of_date')).to.have.length(1);
  });

  it('says that nobody would take its certificates while its clock is behind, and after the end of any of its chain', async () => {
    const clock = new FakeClock();
    const [start, end] = [clock.now() - DAY, clock.now() + 20 * DAY];
    const root = createTestAuthority({ trustDomain: 'cluster.local', notBefore: start - DAY, notAfter: end });
    await using folder = await AuthorityFolder.create(
      cacertsOf(root.intermediate({ notBefore: start, notAfter: end + DAY })),
    );
    const { validity } = (await openAuthority(folder.options(clock))).current();
    for (const now of [start, clock.now(), end]) expect(validityProblem(validity, now)).to.equal(undefined);
    expect(validityProblem(validity, start - 1)).to.match(/ begins 2025-12-31T/);
    expect(validityProblem(validity, end + 1)).to.match(/ ended 2026-01-21T/);
  });

  it('cannot mend a root that was made then', async () => {
    await using folder = await AuthorityFolder.create();
    const clock = new FakeClock();
    await openAuthority(folder.options(clock));
    clock.jump(-DAY);
    expect(await refusalCodeOf(openAuthority(folder.options(clock)))).to.equal('authority_out_of_date');
  });

  it('takes files over that were not valid yet when they came, once they are', async () => {
    const clock = new FakeClock();
    const root = createTestAuthority({
      trustDomain: 'cluster.local',
      notBefore: clock.now() - DAY,
      notAfter: clock.now() + 300 * DAY,
    });
    const until = clock.now() + 200 * DAY;
    await using folder = await AuthorityFolder.create(
      cacertsOf(root.intermediate({ notBefore: clock.now() - DAY, notAfter: until })),
    );
    const events: AuthorityEvent[] = [];
    const keeper = await openAuthority({ ...folder.options(clock), onEvent: (event) => events.push(event) });
    const later = clock.now() + DAY;
    await folder.put(cacertsOf(root.intermediate({ notBefore: later, notAfter: until })));
    await keeper.check();
    await keeper.check();
    expect(events).to.deep.equal(['reload_refused']);
    clock.jump(DAY);
    await keeper.check();
    expect([begins(keeper), events]).to.deep.equal([later, ['reload_refused', 'reloaded']]);
  });
});
