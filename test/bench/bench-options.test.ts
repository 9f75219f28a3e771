import { expect } from 'chai';
import { type BenchOptions, estimate, parseOptions, UsageError } from './bench-options.ts';

const minutes = (options: BenchOptions): number => estimate(options, options.seconds) / 60;

describe('what the bench is asked for', () => {
  it('fits a whole run into its minutes with every row, three rounds and runs of two seconds at least', () => {
    const options = parseOptions([]);
    expect(minutes(options)).to.be.at.most(13);
    expect(options.rounds).to.equal(3);
    expect(options.seconds).to.be.at.least(2);
    expect(options.names).to.deep.equal(['hop', 'start', 'memory']);
  });

  it('fits a quick run into two minutes and keeps the loads of the goals', () => {
    const options = parseOptions(['--quick']);
    expect(minutes(options)).to.be.below(2);
    const loads = options.loads.map(({ kind, connections }) => `${kind} ${connections}`);
    expect(loads).to.include.members(['1k 64', '1k 8', '64k 64', 'bulk 4']);
    expect(options.variants.map(({ name }) => name)).to.include.members([
      'haproxy-http',
      'nginx-stream',
      'sallyport-http',
    ]);
  });

  it('leaves loads out and says so before it makes runs too short', () => {
    const options = parseOptions(['--minutes', '9']);
    expect(options.leftOut).not.to.be.empty;
    expect(options.loads.some(({ kind, connections }) => kind === '64k' && connections === 256)).to.equal(false);
    expect(options.loads.some(({ kind, connections }) => kind === '64k' && connections === 64)).to.equal(true);
  });

  it('does as told when rounds, seconds, rows, loads and connections are named', () => {
    const options = parseOptions([
      ...['hop', '--rounds', '5', '--seconds', '4', '--only', 'haproxy-http,sallyport-http'],
      ...['--loads', '1k,bulk', '--connections', '16'],
    ]);
    expect(options).to.deep.include({ names: ['hop'], rounds: 5, seconds: 4, idle: [], leftOut: [] });
    expect(options.variants.map(({ name }) => name)).to.deep.equal(['haproxy-http', 'sallyport-http']);
    expect(options.loads).to.deep.equal([
      { kind: '1k', connections: 16 },
      { kind: 'bulk', connections: 4 },
    ]);
  });

  for (const args of [
    ['nonsense'],
    ['--only', 'nonsense'],
    ['--loads', 'nonsense'],
    ['--rounds', '0'],
    ['--seconds', '1.5'],
    ['--connections', '64,x'],
    ['--nonsense'],
  ]) {
    it(`refuses ${args.join(' ')} with a word of what there is`, () => {
      expect(() => parseOptions(args)).to.throw(UsageError, /there are|expected|Unknown option/);
    });
  }
});
