/**
 * A mesh for end-to-end tests: the real programs as processes on free loopback ports, in a folder of its own
 * that goes with it. The planning and starting is the demo's; only ports and folder differ.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mesh } from '../../scripts/local-mesh/mesh.ts';
import { type MeshWish, planMesh } from '../../scripts/local-mesh/mesh-plan.ts';
import { freePorts } from '../../scripts/local-mesh/ports.ts';

export type TestMeshWish = Pick<MeshWish, 'services'> & Partial<Omit<MeshWish, 'services' | 'directory' | 'ports'>>;

/** A mesh whose folder is removed when it is disposed. */
export class TestMesh extends Mesh {
  override async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.plan.directory, { recursive: true, force: true });
  }
}

/** Planned, but nothing started: for tests that start the parts themselves. */
export async function plannedMesh(wish: TestMeshWish): Promise<TestMesh> {
  const ports = await freePorts(10 + 10 * wish.services.length);
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  return new TestMesh(
    planMesh({
      trustDomain: 'cluster.local',
      namespace: 'shop',
      certificateSeconds: 3600,
      ...wish,
      directory,
      ports: ports.values(),
    }),
  );
}

/** Started and ready. */
export async function startMesh(wish: TestMeshWish): Promise<TestMesh> {
  const mesh = await plannedMesh(wish);
  try {
    await mesh.start();
    return mesh;
  } catch (error) {
    await mesh[Symbol.asyncDispose]();
    throw error;
  }
}
