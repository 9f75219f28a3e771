import { expect } from 'chai';
import type { Log } from '../../../shared/log/log.ts';
import { withThinnedRefusals } from '../../../sidecar/telemetry/refusal-lines.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';

describe('the log of refusals in a sidecar', () => {
  let recorded: RecordedLog;
  let clock: FakeClock;
  let log: Log;

  beforeEach(() => {
    recorded = new RecordedLog();
    clock = new FakeClock();
    log = withThinnedRefusals(recorded, clock).child({ listener: 'app' });
  });

  const flood = (times: number, fields: object): void => {
    for (let at = 0; at < times; at++) log.warn('peer_refused', { code: 'peer_untrusted', ...fields });
  };

  it('writes the first lines of a flood, and one more that tells how many are missing', async () => {
    flood(1_000, { remoteAddress: '10.0.0.1' });
    expect(recorded.lines).to.have.length(100);
    await clock.advance(10_000);
    expect(recorded.lines).to.have.length(101);
    expect(recorded.lines.at(-1)).to.deep.equal({
      level: 'warn',
      event: 'refusals_left_out',
      fields: {
        listener: 'app',
        of: 'peer_refused',
        code: 'peer_untrusted',
        peer: '10.0.0.1',
        leftOut: 900,
        seconds: 10,
      },
    });
  });

  it('is not silenced by a flood: neither for another code, nor another peer, nor afterwards', async () => {
    flood(1_000, { remoteAddress: '10.0.0.1' });
    flood(1, { code: 'peer_plaintext', remoteAddress: '10.0.0.1' });
    flood(1, { remoteAddress: '10.0.0.2' });
    flood(1, { peer: WEB });
    expect(recorded.lines).to.have.length(103);
    await clock.advance(10_000);
    flood(1, { remoteAddress: '10.0.0.1' });
    expect(recorded.lines).to.have.length(105);
  });

  it('bounds what many peers write together, and still counts all of them', async () => {
    for (let peer = 0; peer < 5_000; peer++) flood(1, { remoteAddress: `10.0.${peer >> 8}.${peer & 255}` });
    expect(recorded.lines).to.have.length(200);
    await clock.advance(10_000);
    expect(recorded.lines.at(-1)!.fields).to.include({ peer: 'others', leftOut: 4_800 });
    expect(clock.pending).to.equal(0);
  });

  it('leaves everything else alone, and says nothing when nothing is missing', async () => {
    for (let at = 0; at < 200; at++) {
      log.warn('weather', { peer: WEB });
      log.error('listener_failed', { code: 'x' });
      log.info('ready', { code: 'x' });
      log.debug('seen', { code: 'x' });
    }
    flood(100, {});
    await clock.advance(10_000);
    expect(recorded.lines).to.have.length(900);
  });
});
