/** A log that keeps its lines, so that a test can ask what an operator would have seen. */
import type { LogFields, LogLevel, ProgramLog } from '../../shared/log/log.ts';

export interface RecordedLine {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

export class RecordedLog implements ProgramLog {
  readonly lines: RecordedLine[];
  readonly #fields: LogFields;

  constructor(lines: RecordedLine[] = [], fields: LogFields = {}) {
    this.lines = lines;
    this.#fields = fields;
  }

  /** Every level is kept. */
  setLevel(): void {}

  debug(event: string, fields: LogFields = {}): void {
    this.#keep('debug', event, fields);
  }

  info(event: string, fields: LogFields = {}): void {
    this.#keep('info', event, fields);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.#keep('warn', event, fields);
  }

  error(event: string, fields: LogFields = {}): void {
    this.#keep('error', event, fields);
  }

  child(fields: LogFields): RecordedLog {
    return new RecordedLog(this.lines, { ...this.#fields, ...fields });
  }

  events(event: string): readonly RecordedLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  #keep(level: LogLevel, event: string, fields: LogFields): void {
    this.lines.push({ level, event, fields: { ...this.#fields, ...fields } });
  }
}
