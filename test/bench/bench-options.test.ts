import { expect } from 'chai';
import { parseOptions, UsageError } from './bench-options.ts';
import { VARIANTS } from './variants.ts';

describe('what the bench is asked for', () => {
  it('is three rounds of the hop with every row and load, then start and memory, by default', () => {
    const options = parseOptions([]);
    expect(options).to.deep.include({ names: ['hop', 'start', 'memory'], rounds: 3, variants: VARIANTS });
    expect(options.loads.filter(({ kind }) => kind === '1k' || kind === '64k')).to.have.lengthOf(8);
  });

  it('keeps the loads and rows of the goals in a quick run', () => {
    const options = parseOptions(['--quick']);
    const loads = options.loads.map(({ kind, connections }) => `${kind} ${connections}`);
    expect(loads).to.include.members(['1k 64', '1k 8', '64k 64', 'bulk 4']);
    expect(options.variants.map(({ name }) => name)).to.include.members([
      ...['nginx-stream', 'nginx-http', 'haproxy-http', 'sallyport-http', 'sallyport-tcp'],
    ]);
    expect(options.names).to.deep.equal(['hop']);
  });

  it('does as told when rounds, seconds, rows, loads and connections are named', () => {
    const options = parseOptions([
      ...['hop', '--rounds', '5', '--seconds', '4', '--only', 'haproxy-http,sallyport-http'],
      ...['--loads', '1k,bulk', '--connections', '16'],
    ]);
    expect(options).to.deep.include({ names: ['hop'], rounds: 5, seconds: 4, idle: [] });
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
