/**
 * The program `citadel`. A command is loaded when it is asked for, so that `--help` is quick and serving does not
 * pay for ceremonies.
 */
import { type Runner, runProgram } from '../shared/cli/run-program.ts';
import { CITADEL } from './cli/program.ts';

const RUNNERS: Readonly<Record<string, Runner>> = {
  serve: async (invocation) => (await import('./cli/serve.ts')).serve(invocation),
  init: async (invocation) => (await import('./cli/init.ts')).init(invocation),
  inspect: async (invocation) => (await import('./cli/inspect.ts')).inspect(invocation),
  'dev-issuer': async (invocation) => (await import('./cli/dev-issuer.ts')).devIssuer(invocation),
};

process.exitCode = await runProgram(CITADEL, RUNNERS, process.argv.slice(2));
