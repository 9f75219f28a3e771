/**
 * `npm run build`: the two programs as JavaScript in dist/, for the container image. The sources run without it;
 * compiled code only starts faster and needs no type stripping. dist/ is made anew every time.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const DIST = path.join(ROOT, 'dist');

rmSync(DIST, { recursive: true, force: true });
const compiler = path.join(ROOT, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [compiler, '--project', 'tsconfig.build.json'], {
  cwd: ROOT,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

// What Node and `--version` need to know of the package; dist/ is then complete but for its dependencies.
const { name, version, type, license } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
writeFileSync(path.join(DIST, 'package.json'), `${JSON.stringify({ name, version, type, license }, null, 2)}\n`);
process.stdout.write(
  'dist/ is built. In this folder bin/ goes on running the sources; run the built program as `node dist/citadel/main.js`.\n',
);
