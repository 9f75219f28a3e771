/** The floor under an issuance: one ECDSA P-256 signature and one verification, by `openssl speed` on this machine, now. */
import { tool } from '../support/tool.ts';

export interface Floor {
  readonly signMicros: number;
  readonly verifyMicros: number;
  readonly sumMicros: number;
}

export async function measureFloor(seconds: number): Promise<Floor> {
  const { stdout, stderr } = await tool('openssl', ['speed', '-mr', '-seconds', String(seconds), 'ecdsap256'], {
    withinMs: seconds * 2000 + 10_000,
  });
  // +F4:<curve number>:<bits>:<signatures per second>:<verifications per second>
  const row = /^\+F4:\d+:256:([\d.e-]+):([\d.e-]+)/m.exec(stdout);
  if (!row) throw new Error(`openssl speed printed no P-256 row: ${stdout}${stderr}`);
  const signMicros = 1e6 / Number(row[1]);
  const verifyMicros = 1e6 / Number(row[2]);
  return { signMicros, verifyMicros, sumMicros: signMicros + verifyMicros };
}
