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

export function createLog({ program, level, format, out = process.stderr }: LogOptions): Log {
  const text = format === 'text' || (format === 'auto' && out.isTTY === true);
  const colour = text && out.isTTY === true && process.env['NO_COLOR'] === undefined;
  const destination = { write: (line: string) => void out.write(text ? textOf(line, colour) : line) };
  const logger = pino(
    {
      level,
      base: { program },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS, censor: '[redacted]' },
    },
    destination,
  );
  return wrap(logger);
}

/** Drops everything: for pieces that are run without a log. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog };

function wrap(logger: pino.Logger): Log {
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
    child: (fields) => wrap(logger.child(fields)),
  };
}
