import { expect } from 'chai';
import { ServingCertificate } from '../../../citadel/api/serving-certificate.ts';
import type { Authority, ServingRequest } from '../../../citadel/authority/authority.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const HOUR = 3_600_000;
const RANDOMNESS = { draw: () => 0.5, bytes: (count: number) => Buffer.alloc(count) };

describe('the serving certificate', () => {
  const opened = (issuerLife = 1000 * HOUR) => {
    const clock = new FakeClock();
    const asked: ServingRequest[] = [];
    const state = { broken: false };
    const authority = {
      issuer: { certificate: { notAfter: clock.now() + issuerLife } },
      chainPem: ['INTERMEDIATE\n'],
      signServing(request: ServingRequest) {
        if (state.broken) throw new Error('no signing today');
        asked.push(request);
        return { der: Buffer.from([asked.length]), serial: `0${asked.length}` };
      },
    } as unknown as Authority;
    const serving = new ServingCertificate({
      ...{ clock, log: silentLog, randomness: RANDOMNESS, seconds: 24 * 3600, backdateSeconds: 60 },
      authority: () => authority,
      spiffeId: 'spiffe://a.test/ns/citadel-system/sa/citadel',
      names: ['citadel.svc', '10.0.0.1', '::1'],
    });
    const shown: string[] = [serving.issue().cert];
    serving.start(({ cert }) => shown.push(cert));
    return { clock, asked, serving, shown, state };
  };

  it('carries the configured names, each in its own form, and the intermediates behind it', () => {
    const { asked, shown } = opened();
    expect(asked[0]).to.deep.include({
      dnsNames: ['citadel.svc'],
      ipAddresses: ['10.0.0.1', '::1'],
      spiffeId: 'spiffe://a.test/ns/citadel-system/sa/citadel',
    });
    expect(shown[0]).to.match(/-----END CERTIFICATE-----\nINTERMEDIATE\n$/);
  });

  it('is replaced at half of its life, each time with a fresh key', async () => {
    const { clock, asked, shown } = opened();
    await clock.advance(12 * HOUR - 1);
    expect(shown).to.have.length(1);
    await clock.advance(1);
    await clock.advance(12 * HOUR);
    expect(shown).to.have.length(3);
    expect(new Set(asked.map(({ spki }) => spki.toString('hex')))).to.have.length(3);
  });

  it('never outlives its issuer', () => {
    const { asked, clock } = opened(HOUR);
    expect(asked[0]!.notAfter).to.equal(clock.now() + HOUR);
  });

  it('stays as it is when it cannot be replaced, and is tried again until it can', async () => {
    const { clock, shown, state } = opened();
    state.broken = true;
    await clock.advance(13 * HOUR);
    expect(shown).to.have.length(1);
    state.broken = false;
    await clock.advance(60_000);
    expect(shown).to.have.length(2);
  });

  it('is replaced at once when told, and leaves one timer', async () => {
    const { clock, serving, shown } = opened();
    serving.renew();
    serving.renew();
    expect([shown.length, clock.pending]).to.deep.equal([3, 1]);
    serving.close();
    expect(clock.pending).to.equal(0);
  });
});
