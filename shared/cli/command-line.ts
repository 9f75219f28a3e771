/**
 * What a command line asks for. A program is described once, as data; the parser, the help text and the docs
 * derive from it. It decides nothing and starts nothing: an unknown command or flag is refused with a hint.
 */
import { parseArgs } from 'node:util';
import { Refusal } from '../errors/refusal.ts';
import type { Exit } from '../process/exit-codes.ts';
import { meant } from '../text/likely-name.ts';

export interface Flag {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Name of the value in the help text; a flag without one is a switch. */
  readonly value?: string;
  readonly repeated?: boolean;
  readonly help: string;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Names of the operands, all required. */
  readonly operands?: readonly string[];
  readonly flags: readonly Flag[];
  /** How it can end beside `ok`, `failed` and `usage`, by which everything can. */
  readonly exits?: readonly Exit[];
  /** Sentences under the flags: what it does, what to do next. */
  readonly notes?: readonly string[];
}

export interface Program {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
}

/** A command line that is valid. Help and version are asked for, not errors. */
export type CommandLine =
  | { readonly kind: 'help'; readonly command?: Command }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'run';
      readonly command: Command;
      readonly flags: FlagValues;
      readonly operands: readonly string[];
    };

export interface FlagValues {
  has(name: string): boolean;
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
}

const HELP: Flag = { name: 'help', short: 'h', help: 'Print this text and exit.' };
const VERSION: Flag = { name: 'version', help: 'Print the version and exit.' };
export const COMMON_FLAGS: readonly Flag[] = [HELP, VERSION];

/** @throws {Refusal} usage_invalid, with the words for the user in its detail */
export function readCommandLine(program: Program, words: readonly string[]): CommandLine {
  const [first, ...rest] = words;
  if (first === undefined || first === '--help' || first === '-h') return { kind: 'help' };
  if (first === '--version') return { kind: 'version' };
  if (first === 'help')
    return { kind: 'help', ...(rest[0] === undefined ? {} : { command: commandOf(program, rest[0]) }) };
  const command = commandOf(program, first);
  const { values, positionals } = parse(command, rest);
  if (values['help'] === true) return { kind: 'help', command };
  if (values['version'] === true) return { kind: 'version' };
  checkOperands(program, command, positionals);
  return { kind: 'run', command, flags: flagValues(values), operands: positionals };
}

function commandOf(program: Program, word: string): Command {
  const command = program.commands.find(({ name }) => name === word);
  if (command) return command;
  const names = program.commands.map(({ name }) => name);
  const what = word.startsWith('-') ? 'expected a command before' : 'unknown command';
  throw new Refusal('usage_invalid', `${what} \`${word}\`${meant(word, names)}; commands: ${names.join(', ')}`);
}

function parse(command: Command, words: readonly string[]) {
  const flags = [...command.flags, ...COMMON_FLAGS];
  try {
    return parseArgs({
      args: [...words],
      options: Object.fromEntries(flags.map(optionOf)),
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw new Refusal('usage_invalid', { detail: complaint(error as NodeJS.ErrnoException, flags), cause: error });
  }
}

type ParseOption = { type: 'string' | 'boolean'; short?: string; multiple?: boolean };

function optionOf({ name, short, value, repeated }: Flag): [string, ParseOption] {
  return [
    name,
    {
      type: value === undefined ? 'boolean' : 'string',
      ...(short ? { short } : {}),
      ...(repeated ? { multiple: true } : {}),
    },
  ];
}

/** Node's own sentences end in advice about `--`; only the first sentence helps here. */
function complaint(error: NodeJS.ErrnoException, flags: readonly Flag[]): string {
  const unknown = /'(--?[^' ]+)/.exec(error.message)?.[1];
  if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || !unknown) return error.message.split('. ')[0] ?? error.message;
  const names = flags.map(({ name }) => `--${name}`);
  return `unknown flag \`${unknown}\`${meant(unknown, names)}; flags: ${names.join(', ')}`;
}

function checkOperands(program: Program, command: Command, given: readonly string[]): void {
  const wanted = command.operands ?? [];
  if (given.length === wanted.length) return;
  const usage = [program.name, command.name, ...wanted].join(' ');
  const what =
    given.length < wanted.length ? `missing ${wanted[given.length]}` : `unexpected \`${given[wanted.length]}\``;
  throw new Refusal('usage_invalid', `${what}; usage: ${usage}`);
}

function flagValues(values: Readonly<Record<string, unknown>>): FlagValues {
  const texts = (name: string): string[] => {
    const value = values[name];
    return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string');
  };
  return { has: (name) => values[name] !== undefined, text: (name) => texts(name)[0], texts };
}
