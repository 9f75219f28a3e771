/**
 * From the words of the command line to an exit code: prints help and version, runs the command, and turns
 * whatever stops it into one clear line. Results go to standard output, complaints to standard error.
 */

import { SettingsProblems } from '../config/settings-problems.ts';
import { asRefusal, REFUSALS } from '../errors/refusal.ts';
import { EXIT, exitCodeOf } from '../process/exit-codes.ts';
import { type FlagValues, type Program, readCommandLine } from './command-line.ts';
import { commandHelp, programHelp } from './help-text.ts';
import { readVersion } from './version.ts';

export interface Terminal {
  out(text: string): void;
  complain(text: string): void;
}

export interface Invocation {
  readonly flags: FlagValues;
  readonly operands: readonly string[];
  readonly terminal: Terminal;
}

/** Runs until the command has ended. @returns the exit code */
export type Runner = (invocation: Invocation) => Promise<number>;

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
};

/** @param runners one per command of the program, by name */
export async function runProgram(
  program: Program,
  runners: Readonly<Record<string, Runner>>,
  words: readonly string[],
  terminal: Terminal = processTerminal,
): Promise<number> {
  try {
    const line = readCommandLine(program, words);
    if (line.kind === 'version') terminal.out(`${program.name} ${readVersion()}\n`);
    else if (line.kind === 'help')
      terminal.out(line.command ? commandHelp(program, line.command) : programHelp(program));
    else return await runners[line.command.name]!({ flags: line.flags, operands: line.operands, terminal });
    return EXIT.ok.code;
  } catch (error) {
    terminal.complain(complaintOf(program.name, error));
    return exitCodeOf(error);
  }
}

/** What went wrong, with its code and what to do about it. A configuration lists every problem on its own line. */
export function complaintOf(name: string, thrown: unknown): string {
  const { code, message, detail } = asRefusal(thrown, 'internal_failure');
  const first = `${name}: ${code}: ${message}`;
  const { help } = REFUSALS[code];
  if (thrown instanceof SettingsProblems)
    return `${[first, ...thrown.problems.map((line) => `  ${line}`)].join('\n')}\n`;
  return `${[first, detail && `${detail}.`, help].filter((part) => part !== '').join(' ')}\n`;
}
