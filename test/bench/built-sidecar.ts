/**
 * The sidecar as the image has it: compiled JavaScript beside `bin/`, with NODE_ENV=production. It is compiled anew
 * into the folder of the bench, so that the figures are of the sources as they are now, and nobody's dist/ changes.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const AS_IN_THE_IMAGE = { NODE_ENV: 'production' };

/** @returns the script to run */
export function buildSidecar(directory: string): string {
  const home = join(directory, 'built');
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(
    process.execPath,
    [compiler, '--project', join(ROOT, 'tsconfig.build.json'), '--outDir', join(home, 'dist')],
    { cwd: ROOT, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the sources do not compile:\n${stdout}`);
  for (const name of ['bin', 'package.json']) cpSync(join(ROOT, name), join(home, name), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(home, 'dist', 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'));
  return sidecarIn(home);
}

/** The script in a folder that holds `bin/` and `dist/`, for a comparison with another version. */
export function sidecarIn(home: string): string {
  return join(home, 'bin', 'sidecar.js');
}
