/**
 * `citadel inspect FILE`: what is in a file and what is wrong with it. With `--trust` the chain is judged by two
 * independent verifiers. Of a private key it shows the kind only.
 */
import { createReadStream } from 'node:fs';
import type { Runner } from '../../shared/cli/run-program.ts';
import { systemClock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { type Finding, inspectContent } from './inspect-content.ts';
import { inspectTrust } from './inspect-trust.ts';

const LARGEST_FILE = 1 << 20;

export const inspect: Runner = async ({ flags, operands, terminal }) => {
  const file = operands[0]!;
  const trust = flags.text('trust');
  const now = systemClock.now();
  const bytes = await read(file);
  const findings = inspectContent(bytes, now);
  if (trust !== undefined) findings.push(await inspectTrust(bytes, await read(trust), now));
  terminal.out(flags.has('json') ? `${JSON.stringify({ file, findings }, null, 2)}\n` : textOf(file, findings));
  return findings.some(({ problems }) => problems.length > 0) ? EXIT.findings.code : EXIT.ok.code;
};

/** A pipe is as good as a file; one byte more than is wanted tells that there is too much, also of what never ends. */
async function read(file: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    const parts: Buffer[] = [];
    for await (const part of createReadStream(file, { end: LARGEST_FILE })) parts.push(part as Buffer);
    bytes = Buffer.concat(parts);
  } catch (error) {
    throw new Refusal('file_unreadable', {
      detail: `${file} (${(error as NodeJS.ErrnoException).code})`,
      cause: error,
    });
  }
  if (bytes.length > LARGEST_FILE) throw new Refusal('file_unreadable', `${file} is larger than ${LARGEST_FILE} bytes`);
  return bytes;
}

function textOf(file: string, findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ what, facts, problems }, at) => [
    `${file}, ${at + 1} of ${findings.length}: ${what}`,
    ...Object.entries(facts).map(([name, value]) => `  ${labelOf(name).padEnd(14)} ${shown(value)}`),
    ...(problems.length === 0 ? ['  nothing wrong'] : problems.map((problem) => `  PROBLEM: ${problem}`)),
    '',
  ]);
  return lines.join('\n');
}

/** `notBefore` is for programs, `not before` for people. */
function labelOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') || 'none' : String(value);
}
