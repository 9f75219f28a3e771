/**
 * Command lines and configuration files in manifests and compose, read by the programs' own parser and loader: what
 * they would refuse at start is refused here.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { z } from 'zod';
import { CITADEL } from '../../citadel/cli/program.ts';
import { CITADEL_SETTINGS, type CitadelSettings } from '../../citadel/config.ts';
import { type DevIssuerSettings, devIssuerSpec } from '../../citadel/dev-issuer/settings.ts';
import { readCommandLine } from '../../shared/cli/command-line.ts';
import { loadSettings } from '../../shared/config/load-settings.ts';
import type { SettingsSpec } from '../../shared/config/settings.ts';
import { SettingsProblems } from '../../shared/config/settings-problems.ts';
import { SIDECAR } from '../../sidecar/cli/program.ts';
import { SIDECAR_SETTINGS, type SidecarSettings } from '../../sidecar/config.ts';

export interface ProgramLine {
  readonly program: string;
  readonly command: string;
  /** The path after `--config`. */
  readonly configFile: string;
}

const PROGRAMS = [CITADEL, SIDECAR];

/**
 * @param words as the container starts them: program, command, flags
 * @throws {Error} when there is no such program, or the program would refuse them
 */
export function readProgramLine(words: readonly string[]): ProgramLine {
  const program = PROGRAMS.find(({ name }) => name === words[0]);
  if (!program) throw new Error(`${words[0]} is no program of the image`);
  const line = readCommandLine(program, words.slice(1));
  if (line.kind !== 'run') throw new Error(`\`${words.join(' ')}\` runs nothing`);
  const configFile = line.flags.text('config');
  if (configFile === undefined) throw new Error(`\`${words.join(' ')}\` names no configuration`);
  return { program: program.name, command: line.command.name, configFile };
}

export const readCitadelSettings = (text: string): CitadelSettings => load(CITADEL_SETTINGS, text);
export const readIssuerSettings = (text: string): DevIssuerSettings => load(devIssuerSpec, text);
export const readSidecarSettings = (text: string): SidecarSettings => load(SIDECAR_SETTINGS, text);

/** The addresses that a sidecar takes peers at. */
export function gatesOf({ inbound, tunnel }: SidecarSettings): string[] {
  if (inbound.length === 0) return [];
  return [tunnel.listen, ...inbound.flatMap(({ listen }) => listen ?? [])];
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** @throws {Error} that lists every problem */
function load<Schema extends z.ZodObject>(spec: SettingsSpec<Schema>, text: string): z.output<Schema> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-'));
  try {
    const file = path.join(folder, 'settings.yaml');
    writeFileSync(file, text);
    return loadSettings(spec, { file, environment: {} });
  } catch (error) {
    throw error instanceof SettingsProblems ? new Error(error.problems.join('\n'), { cause: error }) : error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
