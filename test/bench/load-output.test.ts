import { expect } from 'chai';
import { readH2load, readWrk } from './load-output.ts';

const WRK = `Running 2s test @ http://127.0.0.1:9/1k
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.19ms    1.11ms  20.01ms   90.00%
    Req/Sec    15.10k     1.00k   16.00k    70.00%
  Latency Distribution
     50%    1.35ms
     75%    2.00ms
     90%  900.00us
     99%    1.02s
  60071 requests in 2.01s, 69.03MB read
Requests/sec:  29886.07
Transfer/sec:     34.34MB
`;

const H2LOAD = `starting benchmark...
finished in 3.00s, 45212.33 req/s, 44.79MB/s
requests: 135637 total, 135701 started, 135637 done, 135637 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 135637 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 134.38MB (140907912) total, 0.00B (0) headers (space savings 100.00%), 132.46MB (138892288) data
`;

describe('output of the load generators', () => {
  it('reads requests, bytes, time and latencies of wrk in one unit each', () => {
    expect(readWrk(WRK)).to.deep.equal({
      requests: 60071,
      seconds: 2.01,
      bytes: 69.03 * 2 ** 20,
      p50: 1.35,
      p99: 1020,
    });
  });

  it('counts bytes of wrk below a kilobyte and above a gigabyte', () => {
    expect(readWrk(WRK.replace('69.03MB', '512.00B')).bytes).to.equal(512);
    expect(readWrk(WRK.replace('69.03MB', '1.50GB')).bytes).to.equal(1.5 * 2 ** 30);
  });

  it('has no latency when no answer was whole', () => {
    const { p50, p99 } = readWrk(WRK.replace('1.35ms', '0.00us').replace('1.02s', '0.00us'));
    expect([p50, p99]).to.deep.equal([undefined, undefined]);
  });

  for (const line of ['  Socket errors: connect 0, read 3, write 0, timeout 0', '  Non-2xx or 3xx responses: 7']) {
    it(`gives no figure of a run with failures: ${line.trim()}`, () => {
      expect(() => readWrk(WRK.replace('Requests/sec', `${line}\nRequests/sec`))).to.throw('failures');
    });
  }

  it('gives no figure of what is no report', () => {
    expect(() => readWrk('unable to connect to 127.0.0.1:9 Connection refused')).to.throw('failures');
    expect(() => readH2load('starting benchmark...')).to.throw('failures');
  });

  it('reads requests, bytes and time of h2load', () => {
    const read = readH2load(H2LOAD);
    expect(read).to.include({ requests: 135637, seconds: 3, bytes: 140907912 });
    expect(read.p50).to.equal(undefined);
  });

  for (const [from, to] of [
    ['0 failed', '1 failed'],
    ['0 errored', '2 errored'],
    ['0 timeout', '3 timeout'],
  ] as const) {
    it(`gives no figure of an h2load run with ${to}`, () => {
      expect(() => readH2load(H2LOAD.replace(from, to))).to.throw('failures');
    });
  }
});
