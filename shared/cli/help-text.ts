/** The help text of a program and of each of its commands, from their description. Pure. */
import { EXIT } from '../process/exit-codes.ts';
import { COMMON_FLAGS, type Command, type Flag, type Program } from './command-line.ts';

export function programHelp({ name, summary, commands }: Program): string {
  return paragraphs([
    [`${name}: ${summary}`],
    [`Usage: ${name} COMMAND [flags]`],
    ['Commands:', ...columns(commands.map((command) => [usageOf(command), command.summary]))],
    ['Flags:', ...columns(COMMON_FLAGS.map(flagRow))],
    exitCodes(),
    [`\`${name} COMMAND --help\` tells about one command.`],
  ]);
}

export function commandHelp({ name }: Program, command: Command): string {
  return paragraphs([
    [command.summary],
    [`Usage: ${name} ${usageOf(command)} [flags]`],
    ['Flags:', ...columns([...command.flags, ...COMMON_FLAGS].map(flagRow))],
    [...(command.notes ?? [])],
    exitCodes(),
  ]);
}

function usageOf({ name, operands = [] }: Command): string {
  return [name, ...operands].join(' ');
}

function flagRow({ name, short, value, repeated, help }: Flag): [string, string] {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return [short ? `-${short}, ${long}` : `    ${long}`, repeated ? `${help} May be given several times.` : help];
}

function exitCodes(): string[] {
  return ['Exit codes:', ...columns(Object.values(EXIT).map(({ code, meaning }) => [String(code), meaning]))];
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

function paragraphs(parts: readonly (readonly string[])[]): string {
  const filled = parts.filter((lines) => lines.length > 0);
  return `${filled.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
