/** What the demo prints: a line per happening, aligned, coloured only on a terminal; or JSON lines with --json. */

export interface Screen {
  /** One happening, told by `who`. */
  say(who: string, text: string): void;
  /** A line outside of the account: headings, hints. */
  line(text?: string): void;
  result(summary: Summary): void;
}

export interface Check {
  readonly what: string;
  readonly expected: string;
  readonly seen: string;
  readonly ok: boolean;
}

export interface Summary {
  readonly seconds: number;
  readonly checks: readonly Check[];
}

export interface ScreenOptions {
  readonly json: boolean;
  readonly out: NodeJS.WriteStream;
  /** Milliseconds since the demo began. */
  elapsed(): number;
}

export function createScreen({ json, out, elapsed }: ScreenOptions): Screen {
  const colour = out.isTTY === true && process.env['NO_COLOR'] === undefined;
  const seconds = (): number => Math.round(elapsed() / 100) / 10;
  if (json) {
    const put = (line: object): void => void out.write(`${JSON.stringify(line)}\n`);
    return {
      say: (who, text) => put({ at: seconds(), who, text }),
      line() {},
      result: (summary) => put({ ...summary, passed: summary.checks.every((check) => check.ok) }),
    };
  }
  const paint = (code: string, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  return {
    say: (who, text) =>
      void out.write(
        `${paint('2', `${seconds().toFixed(1).padStart(5)} s`)}  ${paint('36', who.padEnd(11))} ${text}\n`,
      ),
    line: (text = '') => void out.write(`${text}\n`),
    result: ({ checks, seconds: took }) => {
      const width = Math.max(...checks.map((check) => check.what.length));
      out.write('\n');
      for (const { what, expected, seen, ok } of checks) {
        out.write(
          `  ${ok ? paint('32', 'ok    ') : paint('31', 'FAILED')}  ${what.padEnd(width)}  expected ${expected}, seen ${seen}\n`,
        );
      }
      const failed = checks.filter((check) => !check.ok).length;
      out.write(
        `\n${failed === 0 ? `All ${checks.length} happened` : `${failed} of ${checks.length} did not happen`} in ${took.toFixed(1)} s.\n`,
      );
    },
  };
}
