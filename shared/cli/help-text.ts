/** The help text of a program and of each of its commands, from their description. Pure. */
import { EXIT, type Exit } from '../process/exit-codes.ts';
import { COMMON_FLAGS, type Command, type Flag, type Program } from './command-line.ts';

export function programHelp({ name, summary, commands }: Program): string {
  return paragraphs([
    [`${name}: ${summary}`],
    [`Usage: ${name} COMMAND [flags]`],
    ['Commands:', ...columns(commands.map((command) => [usageOf(command), command.summary]))],
    ['Flags:', ...columns(COMMON_FLAGS.map(flagRow))],
    exitCodes(commands),
    [`\`${name} COMMAND --help\` tells about one command.`],
  ]);
}

export function commandHelp({ name }: Program, command: Command): string {
  return paragraphs([
    [command.summary],
    [`Usage: ${name} ${usageOf(command)} [flags]`],
    ['Flags:', ...columns([...command.flags, ...COMMON_FLAGS].map(flagRow))],
    [...(command.notes ?? [])],
    exitCodes([command]),
  ]);
}

function usageOf({ name, operands = [] }: Command): string {
  return [name, ...operands].join(' ');
}

function flagRow({ name, short, value, repeated, help }: Flag): [string, string] {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return [short ? `-${short}, ${long}` : `    ${long}`, repeated ? `${help} May be given several times.` : help];
}

/** Only those that one of the commands can end with: the others would be looked for in vain. */
function exitCodes(commands: readonly Command[]): string[] {
  const possible = new Set<string>(['ok', 'failed', 'usage', ...commands.flatMap(({ exits = [] }) => exits)]);
  const rows = Object.entries<(typeof EXIT)[Exit]>(EXIT).filter(([exit]) => possible.has(exit));
  return ['Exit codes:', ...columns(rows.map(([, { code, meaning }]) => [String(code), meaning]))];
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

function paragraphs(parts: readonly (readonly string[])[]): string {
  const filled = parts.filter((lines) => lines.length > 0);
  return `${filled.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
