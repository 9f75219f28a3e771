/**
 * Runs biome by the binary of its platform package: `node scripts/biome.ts check --write .`. The umbrella package
 * is not installed because its list of foreign platforms makes `npm ci` fail on registries that lack one of them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/** @throws {Error} when the package of this platform is not installed */
export function biomeBinary(): string {
  const name = `@biomejs/cli-${process.platform}-${process.arch}`;
  const binary = path.join(import.meta.dirname, '../node_modules', name, 'biome');
  if (!existsSync(binary))
    throw new Error(`${name} is not installed: run \`npm ci\` (on other platforms \`npm i --no-save ${name}\`)`);
  return binary;
}

if (import.meta.main) {
  const { status } = spawnSync(biomeBinary(), process.argv.slice(2), { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
