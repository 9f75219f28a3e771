/** `npm run docs` writes the generated pages of docs/; with `--check` it only tells which of them are out of date. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { generatedDocuments } from './generated-documents.ts';

const ROOT = path.join(import.meta.dirname, '..');
const check = process.argv.includes('--check');

for (const [file, text] of generatedDocuments()) {
  if (textOf(file) === text) continue;
  if (check) {
    process.stdout.write(`${file} is out of date\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(path.join(ROOT, file), text);
    process.stdout.write(`${file} written\n`);
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(path.join(ROOT, file), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
