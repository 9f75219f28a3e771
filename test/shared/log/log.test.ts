import { expect } from 'chai';
import { createLog, type LogOptions, silentLog } from '../../../shared/log/log.ts';

describe('the log', () => {
  const opened = (options: Partial<LogOptions> = {}, isTTY = false) => {
    const written: string[] = [];
    const out = { write: (line: string) => written.push(line), isTTY };
    return { written, log: createLog({ program: 'test', level: 'info', format: 'json', out, ...options }) };
  };
  const parsed = (lines: readonly string[]): Record<string, unknown>[] =>
    lines.map((line) => JSON.parse(line) as Record<string, unknown>);

  it('writes one JSON line per event, with level, time and program', () => {
    const { written, log } = opened();
    log.warn('peer_refused', { code: 'peer_certificate_expired' });
    const [line] = parsed(written);
    expect(line).to.include({
      level: 'warn',
      program: 'test',
      event: 'peer_refused',
      code: 'peer_certificate_expired',
    });
    expect(line!['time']).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(written[0]!.endsWith('\n')).to.equal(true);
  });

  it('leaves out what is below its level, and follows a change of level, in its children too', () => {
    const { written, log } = opened();
    const child = log.child({ listener: 'orders' });
    child.debug('unseen');
    log.setLevel('debug');
    child.debug('seen');
    log.setLevel('error');
    child.warn('unseen');
    child.error('seen');
    expect(parsed(written).map(({ event, listener }) => [event, listener])).to.deep.equal([
      ['seen', 'orders'],
      ['seen', 'orders'],
    ]);
  });

  it('removes values under names that hold secrets, as a last net', () => {
    const { written, log } = opened();
    log.info('oops', {
      token: 'SECRET-1',
      authorization: 'SECRET-2',
      request: { key: 'SECRET-3', pem: 'SECRET-4' },
      tokenId: 'fine',
    });
    expect(written[0]).not.to.include('SECRET');
    expect(written[0]).to.include('fine');
  });

  it('is text for people on a terminal, JSON elsewhere, unless told otherwise', () => {
    const written = (format: LogOptions['format'], isTTY: boolean): string => {
      const { written: lines, log } = opened({ format }, isTTY);
      log.info('started', { port: 15012, name: 'a b' });
      return lines[0]!;
    };
    for (const line of [written('auto', false), written('json', true)]) expect(() => JSON.parse(line)).not.to.throw();
    expect(written('text', false)).to.match(/^\d\d:\d\d:\d\d\.\d{3} info {2}test started port=15012 name="a b"\n$/);
    expect(written('auto', true)).to.include('started port=15012');
  });

  it('lets no value start a new line or a terminal sequence', () => {
    const { written, log } = opened({ format: 'text' });
    log.info('hostile', { value: 'a\nfake line\x1b[2J' });
    expect(written[0]!.split('\n')).to.have.length(2);
    expect(written[0]).not.to.include('\x1b');
  });

  it('can be silent', () => {
    expect(silentLog.child({ a: 1 })).to.equal(silentLog);
    expect(() => silentLog.error('nothing')).not.to.throw();
  });
});
