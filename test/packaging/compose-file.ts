/** docker-compose.yml as docker compose reads it, typed just as far as the packaging tests read it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './rendered.ts';

export interface ComposeService {
  readonly image: string;
  readonly build?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly network_mode?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, object>>;
}

export interface Mount {
  /** A path of the project for a bind mount, else the name of a volume. */
  readonly from: string;
  readonly bind: boolean;
  readonly to: string;
  readonly readOnly: boolean;
}

export function readCompose(): ComposeFile {
  return parse(readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as ComposeFile;
}

export function mountsOf(service: ComposeService): Mount[] {
  return (service.volumes ?? []).map((line) => {
    const [from = '', to = '', mode] = line.split(':');
    return { from: from.replace(/^\.\//, ''), bind: from.startsWith('.'), to, readOnly: mode === 'ro' };
  });
}

/** The text of a file as a service sees it. @throws {Error} when nothing is mounted there */
export function fileIn(service: ComposeService, file: string): string {
  const mount = mountsOf(service).find(({ bind, to }) => bind && to === file);
  if (!mount) throw new Error(`nothing is mounted at ${file}`);
  return readFileSync(path.join(ROOT, mount.from), 'utf8');
}
