import { expect } from 'chai';
import { parseOptions } from './bench-options.ts';
import { estimate, type Fitting, fitInto } from './bench-time.ts';

const minutesOf = (args: readonly string[]): { minutes: number; fitting: Fitting; within: number } => {
  const options = parseOptions(args);
  const fitting = fitInto(options.minutes, options, options.seconds);
  return { fitting, within: options.minutes, minutes: estimate({ ...options, ...fitting }, fitting.seconds) / 60 };
};

describe('the time of a bench', () => {
  it('of a whole run with every row fits into its minutes, with runs of two seconds at least', () => {
    const { minutes, within, fitting } = minutesOf([]);
    expect(minutes).to.be.at.most(within);
    expect(within).to.be.below(15);
    expect(fitting.seconds).to.be.at.least(2);
  });

  it('of a quick run is below two minutes', () => {
    expect(minutesOf(['--quick']).minutes).to.be.below(2);
  });

  it('is spent on longer runs when there are few rows', () => {
    expect(minutesOf(['--only', 'haproxy-http,sallyport-http']).fitting).to.deep.include({ seconds: 3, leftOut: [] });
  });

  it('is kept by leaving out what no goal asks for, and saying so, before runs get too short', () => {
    const { fitting } = minutesOf(['--minutes', '10']);
    const kept = fitting.loads.map(({ kind, connections }) => `${kind} ${connections}`);
    expect(fitting.leftOut).to.deep.equal(['requests, 64 KiB, 256 connections', 'requests, 64 KiB, 1 connection']);
    expect(kept).to.include.members(['64k 64', '64k 8', '1k 256', '1k 1']);
  });

  it('is what was asked for when the seconds are named', () => {
    expect(minutesOf(['--seconds', '20', '--minutes', '1']).fitting).to.deep.include({ seconds: 20, leftOut: [] });
  });
});
