import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const CRASH = fileURLToPath(new URL('../../../shared/process/crash.ts', import.meta.url));
const LOG = fileURLToPath(new URL('../../../shared/log/log.ts', import.meta.url));

describe('an unexpected failure', () => {
  const crash = (failure: string): Promise<{ code: unknown; err: string }> =>
    new Promise((resolve) => {
      const program = `const { exitOnCrash } = await import(${JSON.stringify(CRASH)}); const { createLog } = await import(${JSON.stringify(LOG)});
        exitOnCrash(createLog({ program: 'test', level: 'info', format: 'json' })); ${failure}`;
      execFile(process.execPath, ['--input-type=module', '--eval', program], (error, _out, err) =>
        resolve({ code: error?.code, err }),
      );
    });

  for (const [what, failure] of [
    ['thrown in a callback', "setImmediate(() => { throw new Error('kaputt') });"],
    ['in a promise that nobody awaits', "void Promise.reject(new Error('kaputt'));"],
  ] as const) {
    it(`${what} is one log line and exit code 1`, async () => {
      const { code, err } = await crash(failure);
      expect(code).to.equal(1);
      const lines = err
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(lines).to.have.length(1);
      expect(lines[0]).to.include({ event: 'crashed', level: 'error' });
      expect(lines[0]!['error']).to.include('kaputt');
    });
  }
});
