/**
 * Promise: exchanging the certificates of both sidecars every second, for a minute of as many requests as they can
 * carry, fails no request and ends no connection of the app. What it costs is printed beside the same load without.
 * Real parts: dev issuer, citadel, two sidecars and an app as processes.
 */
import { expect } from 'chai';
import { FullLoad, type FullLoadReport } from '../support/full-load.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';

const SECONDS = 60;
/** Long enough for its percentiles, measured once before and once after. */
const CALM_SECONDS = 20;
const CONNECTIONS = 64;

describe('rotation every second at full load', () => {
  for (const transport of ['tunnel', 'mtls'] as const) {
    it(`fails no request and ends no connection over ${transport}`, async () => {
      await using mesh = await startMesh({
        services: [{ name: 'orders' }, { name: 'web', next: 'orders', transport }],
      });
      const before = await measured(mesh, CALM_SECONDS, () => {});
      const rotations = (name: string): number =>
        mesh.service(name).sidecar.events(({ event }) => event === 'identity_published').length;
      const earlier = ['web', 'orders'].map(rotations);
      const rotated = await measured(mesh, SECONDS, () => {
        for (const name of ['web', 'orders']) mesh.service(name).sidecar.child.kill('SIGHUP');
      });
      const after = await measured(mesh, CALM_SECONDS, () => {});

      tell(transport, rotated, [before, after]);
      expect([before, rotated, after].flatMap(({ failures }) => failures)).to.deep.equal([]);
      for (const [at, name] of ['web', 'orders'].entries())
        expect(rotations(name) - earlier[at]!, name).to.be.within(SECONDS * 0.8, SECONDS * 1.2 + 2);
    });
  }
});

async function measured(mesh: TestMesh, seconds: number, everySecond: () => void): Promise<FullLoadReport> {
  const port = mesh.service('web').plan.outbound['orders']!;
  const load = await FullLoad.start({ port, connections: CONNECTIONS });
  let left = seconds;
  await new Promise<void>((resolve) => {
    const tick = setInterval(() => {
      everySecond();
      if (--left > 0 && load.failures.length === 0) return;
      clearInterval(tick);
      resolve();
    }, 1_000);
  });
  return load.stop();
}

/** The figure that is looked at, and not judged: another program on the machine may change it. */
function tell(transport: string, rotated: FullLoadReport, calm: readonly FullLoadReport[]): void {
  const figures = (report: FullLoadReport): string =>
    `${Math.round(report.answered / report.seconds)}/s p50 ${report.percentileMs(0.5).toFixed(2)} ms p99 ${report.percentileMs(0.99).toFixed(2)} ms`;
  const p99 = calm.reduce((sum, report) => sum + report.percentileMs(0.99), 0) / calm.length;
  console.log(`      ${transport}: calm ${calm.map(figures).join(', ')}; rotating ${figures(rotated)}`);
  console.log(`      p99 with rotation against without: ${(rotated.percentileMs(0.99) / p99).toFixed(2)} (goal 1.1)`);
}
