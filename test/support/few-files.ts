/** The sidecar of `orders` in a planned mesh, as a process that may open few files. The other parts run as always. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asYaml, type ServicePlan } from '../../scripts/local-mesh/mesh-plan.ts';
import { Running } from '../../scripts/local-mesh/running.ts';
import { plannedMesh, type TestMesh, type TestMeshWish } from './mesh.ts';

const SIDECAR = fileURLToPath(new URL('../../bin/sidecar.js', import.meta.url));

export class FewFilesSidecar implements AsyncDisposable {
  readonly mesh: TestMesh;
  readonly plan: ServicePlan;
  readonly process: Running;

  private constructor(mesh: TestMesh, plan: ServicePlan, process: Running) {
    this.mesh = mesh;
    this.plan = plan;
    this.process = process;
  }

  /** Ready. @param services of which the first is the one; the others only have identities */
  static async start(files: number, services: TestMeshWish['services']): Promise<FewFilesSidecar> {
    const mesh = await plannedMesh({ services });
    const plan = mesh.plan.services[0]!;
    await mesh.startIssuer();
    await mesh.startCitadel();
    const file = join(mesh.plan.directory, 'few-files.yaml');
    await writeFile(file, asYaml(plan.settings), { mode: 0o600 });
    const program = [process.execPath, SIDECAR, 'run', '--config', file];
    const command = ['sh', '-c', `ulimit -n ${files}; exec "$@"`, 'sh', ...program];
    const sidecar = new FewFilesSidecar(mesh, plan, new Running({ name: plan.name, command }));
    await sidecar.process.event('ready', ({ event }) => event === 'ready');
    return sidecar;
  }

  /** Asks for a new certificate. @returns when it is in use */
  async renew(): Promise<void> {
    const renewed = this.process.next('a new certificate', ({ event }) => event === 'identity_published');
    this.process.child.kill('SIGHUP');
    await renewed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop();
    await this.mesh[Symbol.asyncDispose]();
  }
}
