/**
 * Everything around the hops of one bench: a folder, the dev issuer and citadel that give the identities, the app,
 * the built sidecar. Disposing it ends every process and removes the folder.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { plannedMesh } from '../support/mesh.ts';
import { type MeshSvid, obtainSvid } from '../support/one-sidecar.ts';
import { tool } from '../support/tool.ts';
import { type BenchApp, startApp } from './bench-app.ts';
import { buildSidecar, sidecarIn } from './built-sidecar.ts';
import { Programs } from './programs.ts';
import type { HopFiles } from './rival-configs.ts';
import type { Site } from './variant.ts';

export interface SiteOptions {
  readonly signal: AbortSignal;
  /** A folder with `bin/` and `dist/` instead of a fresh build; undefined builds. */
  readonly sidecarHome?: string | undefined;
  readonly withEnvoy: boolean;
  /** False where only rivals run: nothing is compiled. */
  readonly withSidecar?: boolean;
  progress(line: string): void;
}

export interface HopSite extends Site, AsyncDisposable {
  readonly app: BenchApp;
  readonly svid: MeshSvid;
}

export async function openSite(options: SiteOptions): Promise<HopSite> {
  const { signal, withEnvoy, progress } = options;
  const mesh = await plannedMesh({
    namespace: 'bench',
    services: [{ name: 'entry' }, { name: 'exit' }],
    tokenSeconds: 7200,
  });
  const programs = new Programs(signal);
  const close = async (): Promise<void> => {
    await programs[Symbol.asyncDispose]();
    await mesh[Symbol.asyncDispose]();
  };
  try {
    const { directory } = mesh.plan;
    await mesh.startIssuer();
    await mesh.startCitadel();
    const sidecar = sidecarOf(options, directory);
    signal.throwIfAborted();
    const svid = await obtainSvid(mesh, 'exit');
    const [port = 0, http2Port = 0] = await freePorts(2);
    const app = await startApp(programs, directory, { port, http2Port });
    const files = await hopFiles(directory, mesh.plan.rootFile, svid);
    const envoy = withEnvoy ? await findEnvoy(progress) : undefined;
    return { programs, directory, mesh, files, sidecar, envoy, app, svid, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function sidecarOf({ sidecarHome, withSidecar = true, progress }: SiteOptions, directory: string): string {
  if (!withSidecar) return '';
  if (sidecarHome) return sidecarIn(sidecarHome);
  progress('compiling the sidecar');
  return buildSidecar(directory);
}

async function hopFiles(directory: string, roots: string, { certPem, keyPem, spiffeId }: MeshSvid): Promise<HopFiles> {
  const path = (name: string): string => join(directory, `hop-${name}.pem`);
  const files = { directory, chain: path('chain'), key: path('key'), both: path('both'), roots, spiffeId };
  await writeFile(files.chain, certPem);
  await writeFile(files.key, keyPem, { mode: 0o600 });
  await writeFile(files.both, certPem + keyPem, { mode: 0o600 });
  return files;
}

async function findEnvoy(progress: (line: string) => void): Promise<string | undefined> {
  const { code, stdout, stderr } = await tool('bash', ['scripts/with-envoy.sh'], { withinMs: 120_000 });
  if (code === 0) return stdout.trim();
  progress(`no Envoy: ${stderr.trim().split('\n').at(-1)}`);
  return undefined;
}
