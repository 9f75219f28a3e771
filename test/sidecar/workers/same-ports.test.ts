/** A worker that comes later opens the ports that the first one got, and no others. */
import { expect } from 'chai';
import { onBoundPorts } from '../../../sidecar/workers/same-ports.ts';

const SETTINGS = {
  inbound: [
    { name: 'app', listen: '127.0.0.1:0', protocol: 'http' },
    { name: 'tunnelled', protocol: 'tcp' },
  ],
  outbound: [
    { name: 'app', listen: '127.0.0.1:0', to: 'orders:80' },
    { name: 'fixed', listen: '127.0.0.1:9000', to: 'stock:80' },
  ],
  tunnel: { listen: '[::]:0', streams: 7 },
  log: { level: 'info' },
};

describe('the ports of a later worker', () => {
  it('are those in use, by direction and name, and everything else stays', () => {
    const before = structuredClone(SETTINGS);
    const after = onBoundPorts(SETTINGS, {
      inbound: { app: { host: '127.0.0.1', port: 1001 } },
      outbound: { app: { host: '127.0.0.1', port: 1002 }, fixed: { host: '127.0.0.1', port: 9000 } },
      tunnel: { host: '::', port: 1003 },
    });
    expect(after).to.deep.equal({
      ...SETTINGS,
      inbound: [{ ...SETTINGS.inbound[0], listen: '127.0.0.1:1001' }, SETTINGS.inbound[1]],
      outbound: [{ ...SETTINGS.outbound[0], listen: '127.0.0.1:1002' }, SETTINGS.outbound[1]],
      tunnel: { listen: '[::]:1003', streams: 7 },
    });
    expect(SETTINGS).to.deep.equal(before);
  });

  it('are the settings’ own where the first worker opened none', () => {
    expect(onBoundPorts(SETTINGS, { inbound: {}, outbound: {} })).to.deep.equal(SETTINGS);
  });
});
