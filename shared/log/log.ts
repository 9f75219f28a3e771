/**
 * Structured logs: pino JSON, one event name per place; readable text when the output is a terminal.
 * Fields are plain facts. It never receives a token, a key or a PEM; as a last net, values under names
 * that hold secrets are removed by pino's redaction.
 */
import pino from 'pino';
import { textOf } from './text-format.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log whose every line carries these fields too. */
  child(fields: LogFields): Log;
}

/** The log of a whole program: its level can change while it runs, for its children too. */
export interface ProgramLog extends Log {
  setLevel(level: LogLevel): void;
}

export interface LogOptions {
  readonly program: string;
  readonly level: LogLevel;
  /** `auto`: text on a terminal, JSON elsewhere. */
  readonly format: 'auto' | 'json' | 'text';
  /** Where lines go; standard error by default, so that standard output stays for results. */
  readonly out?: { write(line: string): unknown; isTTY?: boolean };
}

const SECRET_FIELDS = [
  'token',
  'authorization',
  'key',
  'privateKey',
  'csr',
  'pem',
  '*.token',
  '*.authorization',
  '*.key',
  '*.privateKey',
  '*.pem',
];

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLog({ program, level, format, out = process.stderr }: LogOptions): ProgramLog {
  const text = format === 'text' || (format === 'auto' && out.isTTY === true);
  const colour = text && out.isTTY === true && process.env['NO_COLOR'] === undefined;
  const destination = { write: (line: string) => void out.write(text ? textOf(line, colour) : line) };
  const logger = pino(
    {
      level: 'debug',
      base: { program },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS, censor: '[redacted]' },
    },
    destination,
  );
  // pino's own level is copied into each child when it is made; this one is shared.
  const threshold = { rank: RANKS[level] };
  const setLevel = (next: LogLevel): void => {
    threshold.rank = RANKS[next];
  };
  return { ...wrap(logger, threshold), setLevel };
}

/** Drops everything: for pieces that are run without a log. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog };

function wrap(logger: pino.Logger, threshold: { readonly rank: number }): Log {
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      if (RANKS[level] >= threshold.rank) logger[level](fields, event);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(logger.child(fields), threshold),
  };
}
