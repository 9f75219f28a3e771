import { expect } from 'chai';
import { nextWindow, ReceiveWindow } from '../../../sidecar/tunnel/receive-window.ts';

const KIB = 1024;
const MOST = 4096 * KIB;

describe('the receive window', () => {
  it('doubles while half of it drains within a round trip, or within ten milliseconds, up to the most', () => {
    expect(nextWindow(256 * KIB, MOST, 5, 1)).to.equal(512 * KIB);
    expect(nextWindow(256 * KIB, MOST, 11, 1)).to.equal(256 * KIB);
    expect(nextWindow(256 * KIB, MOST, 80, 100)).to.equal(512 * KIB);
    expect(nextWindow(3000 * KIB, MOST, 1, 1)).to.equal(MOST);
    expect(nextWindow(MOST, MOST, 0, 1)).to.equal(MOST);
  });

  it('lets the peer send exactly what it was told, growth included', () => {
    const window = new ReceiveWindow(1000, 1000, 0);
    expect(window.spend(1000)).to.equal(true);
    expect(window.spend(0)).to.equal(true);
    expect(window.spend(1)).to.equal(false);
    expect(window.isCreditDue(0)).to.equal(true);
    expect(window.credit(0, 1, 0, 4000)).to.equal(2000);
    expect(window.left).to.equal(2000);
    expect(window.size).to.equal(2000);
    expect(window.spend(2000)).to.equal(true);
    expect(window.spend(1)).to.equal(false);
  });

  it('credits only what was taken', () => {
    const window = new ReceiveWindow(1000, 1000, 0);
    window.spend(900);
    expect(window.isCreditDue(500)).to.equal(false);
    expect(window.isCreditDue(400)).to.equal(true);
    expect(window.credit(400, 1000, 0, 1000)).to.equal(500);
    expect(window.isCreditDue(400)).to.equal(false);
    expect(window.isCreditDue(0)).to.equal(false);
    window.spend(100);
    expect(window.credit(0, 2000, 0, 1000)).to.equal(500);
    expect(window.left).to.equal(1000);
  });

  it('never shrinks, and grows only as far as it is let', () => {
    const window = new ReceiveWindow(2000, 2000, 0);
    window.spend(2000);
    expect(window.credit(0, 0, 0, 1000)).to.equal(2000);
    expect(window.size).to.equal(2000);
  });

  it('works when it is one byte', () => {
    const window = new ReceiveWindow(1, 1, 0);
    expect(window.isCreditDue(0)).to.equal(false);
    window.spend(1);
    expect(window.isCreditDue(0)).to.equal(true);
    expect(window.credit(0, 99, 0, 1)).to.equal(1);
  });
});
