/** One JSON log line as one line for people: time, level, event, then the fields in their order. Pure. */

const COLOUR: Readonly<Record<string, string>> = {
  debug: '\x1b[2m',
  info: '\x1b[36m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
};
const RESET = '\x1b[0m';

export function textOf(jsonLine: string, colour: boolean): string {
  const { level, time, program, event, ...fields } = JSON.parse(jsonLine) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const name = String(level).padEnd(5);
  const shown = colour ? `${COLOUR[String(level)] ?? ''}${name}${RESET}` : name;
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? quoted(value) : JSON.stringify(value)}`,
  );
  return `${[clock, shown, String(program), String(event), ...rest].join(' ')}\n`;
}

/** Control characters are escaped by JSON: a hostile value can start no new line and no terminal sequence. */
function quoted(value: string): string {
  return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}
