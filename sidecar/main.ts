/** The program `sidecar`. A command is loaded when it is asked for, so that `--help` is quick. */
import { type Runner, runProgram } from '../shared/cli/run-program.ts';
import { SIDECAR } from './cli/program.ts';

const RUNNERS: Readonly<Record<string, Runner>> = {
  run: async (invocation) => (await import('./cli/run.ts')).run(invocation),
};

process.exitCode = await runProgram(SIDECAR, RUNNERS, process.argv.slice(2));
