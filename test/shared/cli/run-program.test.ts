import { expect } from 'chai';
import type { Program } from '../../../shared/cli/command-line.ts';
import { type Runner, runProgram } from '../../../shared/cli/run-program.ts';
import { SettingsProblems } from '../../../shared/config/load-settings.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';

const PROGRAM: Program = {
  name: 'gate',
  summary: 'a program for tests.',
  commands: [{ name: 'open', summary: 'Open it.', flags: [] }],
};

describe('running a program', () => {
  const run = async (words: string[], open: Runner = async () => 0) => {
    const seen = { out: '', complaints: '' };
    const terminal = {
      out: (text: string) => {
        seen.out += text;
      },
      complain: (text: string) => {
        seen.complaints += text;
      },
    };
    return { code: await runProgram(PROGRAM, { open }, words, terminal), ...seen };
  };

  it('ends with the code of its command', async () => {
    expect((await run(['open'], async () => 6)).code).to.equal(6);
  });

  it('turns a refusal into one line with code, detail and what to do, and the code that fits', async () => {
    const { code, complaints, out } = await run(['open'], () =>
      Promise.reject(new Refusal('address_in_use', '0.0.0.0:15012')),
    );
    expect([code, out]).to.deep.equal([5, '']);
    expect(complaints).to.match(/^gate: address_in_use: A port .* taken\. 0\.0\.0\.0:15012\. Find the process .*\n$/);
  });

  it('prints each problem of a configuration on its own line', async () => {
    const { code, complaints } = await run(['open'], () => Promise.reject(new SettingsProblems(['a:1: x', 'a:2: y'])));
    expect([code, complaints.split('\n').slice(1)]).to.deep.equal([3, ['  a:1: x', '  a:2: y', '']]);
  });

  it('calls everything unexpected a defect, without a stack for the user', async () => {
    const { code, complaints } = await run(['open'], () => Promise.reject(new TypeError('oops')));
    expect([code, complaints.split('\n').length]).to.deep.equal([1, 2]);
    expect(complaints).to.include('internal_failure').and.to.include('TypeError: oops');
  });
});
