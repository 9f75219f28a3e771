/** The lines of a worker come whole, also when nobody reads for a while. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';

const MODULE = new URL('../../../sidecar/workers/write-whole.ts', import.meta.url).href;
/** More than a pipe holds. */
const BYTES = 2 << 20;

/** Standard error as a program has it that has used it before: a pipe that does not wait. */
const program = (text: string): string => `
  import { writeWhole } from ${JSON.stringify(MODULE)};
  process.stderr.write('first\\n');
  process.stdout.write('writing');
  writeWhole(2, ${text});
  process.exit(0);`;

async function written(text: string, read: (child: ReturnType<typeof spawn>) => void): Promise<[string, number]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(text)], { stdio: 'pipe' });
  const parts: Buffer[] = [];
  await once(child.stdout, 'data');
  child.stderr.on('data', (part: Buffer) => parts.push(part));
  read(child);
  const [code] = await once(child, 'close');
  return [Buffer.concat(parts).toString(), code as number];
}

describe('a line of a worker', () => {
  it('comes to its last byte, however late it is read', async () => {
    const [text, code] = await written(`'ä'.repeat(${BYTES / 2})`, () => {});
    expect([code, text.length, text.endsWith('ää')]).to.deep.equal([0, 'first\n'.length + BYTES / 2, true]);
  });

  it('ends nobody when its reader is gone', async () => {
    const [, code] = await written(`'x'.repeat(${BYTES})`, ({ stderr }) => stderr!.destroy());
    expect(code).to.equal(0);
  });
});
