/** What may not stand in the code: hidden clocks and chance, swallowed errors, unfinished work, secrets in words. */
import type { Rule } from './rule.ts';
import { lineOf, type SourceFile } from './source-tree.ts';

const PRODUCT = /^(citadel|sidecar|shared)\//;

export const noBareClock: Rule = {
  name: 'only shared/clock reads the time, draws chance or starts a timer',
  check: (file) =>
    PRODUCT.test(file.path) && !file.path.startsWith('shared/clock/')
      ? found(
          file,
          /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|(?<![.\w])set(?:Timeout|Interval)\(|\bperformance\.now\b|\bAbortSignal\.timeout\b/g,
        )
      : [],
};

export const noSleepingTests: Rule = {
  name: 'no test waits by time instead of for what it waits for',
  check: (file) =>
    file.path.endsWith('.test.ts')
      ? found(file, /(?<![.\w])setTimeout\(|'node:timers\/promises'|\b(?:sleep|delay)\(|\bpause\(systemClock\b/g)
      : [],
};

/** On the whole text: a comment inside, or at the end of the line, is the word. */
const SWALLOWED =
  /\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}|\.catch\(\(\)\s*=>\s*(?:\{\s*\}|undefined|null)\)(?![^\n]*\/\/ \S)/g;

export const nothingSwallowed: Rule = {
  name: 'no error is swallowed without a word',
  check: (file) => (isScript(file) ? found(file, SWALLOWED, file.text) : []),
};

export const nothingUnfinished: Rule = {
  name: 'nothing is left for later, switched off or hidden from the compiler',
  check: (file) =>
    PRODUCT.test(file.path) || file.path.startsWith('scripts/')
      ? found(
          file,
          /\b(?:TODO|FIXME|XXX)\b|\bnot (?:yet )?implemented\b|@ts-(?:ignore|nocheck|expect-error)/g,
          file.text,
        )
      : [],
};

/** What holds a secret, by its name: whole or as a piece of its text. What it says of itself (`length`, `kind`) may be told. */
const SECRET =
  /\b(?:token|bearer|authorization|password|secret|csr|pem|csrPem|keyPem|privateKey)\b(?!\.(?!slice|sub|trim|to|at\b|replace)\w)/i;
const SPOKEN = /\bnew Refusal\(|\blog\.(?:debug|info|warn|error)\(|\bconsole\.\w+\(|\bnew \w*Error\(/g;

export const noSecretsInWords: Rule = {
  name: 'no message, detail or log line is made from a token, a key or a PEM',
  check: (file) => {
    if (!PRODUCT.test(file.path)) return [];
    return Array.from(file.code.matchAll(SPOKEN)).flatMap((match) => {
      const words = callAt(file.code, match.index + match[0].length);
      return secretsIn(words).map((name) => `${file.path}:${lineOf(file.code, match.index)}: says ${name}`);
    });
  },
};

function secretsIn(words: string): string[] {
  const inserted = Array.from(words.matchAll(/\$\{([^}]*)\}/g), (match) => match[1]!);
  // Fields of a log line: `{ token }`, `{ csr: request.csr }`. Strings cannot leak, so they are taken out first.
  const fields = Array.from(
    words.replace(/'[^']*'|`[^`]*`/g, "''").matchAll(/[{,]\s*([\w.]+)\s*(?=[,}:])/g),
    (match) => match[1]!,
  );
  return [...inserted, ...fields].filter((expression) => SECRET.test(expression));
}

/** The text of a call's arguments, up to its closing parenthesis. */
function callAt(code: string, start: number): string {
  let depth = 1;
  for (let at = start; at < code.length; at++) {
    if (code[at] === '(') depth++;
    else if (code[at] === ')' && --depth === 0) return code.slice(start, at);
  }
  return code.slice(start);
}

function found(file: SourceFile, pattern: RegExp, text = file.code): string[] {
  return Array.from(text.matchAll(pattern), (match) => `${file.path}:${lineOf(text, match.index)}: ${match[0].trim()}`);
}

function isScript(file: SourceFile): boolean {
  return /\.(ts|js)$/.test(file.path);
}
