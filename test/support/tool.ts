/** Runs one of Debian's tools to its end, bounded in time and output, and tells how it went. */
import { spawn } from 'node:child_process';

export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ToolOptions {
  readonly input?: string | Buffer;
  readonly withinMs?: number;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const MOST_OUTPUT = 8 << 20;

export function tool(
  name: string,
  args: readonly string[],
  { input, withinMs = 15_000, cwd, environment }: ToolOptions = {},
): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, {
      stdio: 'pipe',
      timeout: withinMs,
      killSignal: 'SIGKILL',
      ...(cwd ? { cwd } : {}),
      env: { ...process.env, ...environment },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (part) => (stdout = (stdout + part).slice(0, MOST_OUTPUT)));
    child.stderr.on('data', (part) => (stderr = (stderr + part).slice(0, MOST_OUTPUT)));
    child.on('error', (error) => reject(new Error(`${name} cannot be run: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') reject(new Error(`${name} did not end within ${withinMs} ms\n${stdout}\n${stderr}`));
      else resolve({ code: code ?? -1, stdout, stderr });
    });
    child.stdin.on('error', () => child.stdin.destroy()); // a tool that ends early closes its input
    child.stdin.end(input);
  });
}
