/** Starts two processes of a rival as a hop, each with its configuration in the folder of the bench. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import type { Running } from '../../scripts/local-mesh/running.ts';
import { nginxHere } from './bench-app.ts';
import { type EnvoyHop, envoyEntry, envoyExit } from './envoy-config.ts';
import { nginxConfig } from './nginx-config.ts';
import { processTree } from './process-cost.ts';
import type { HopFiles, HopPorts } from './rival-configs.ts';
import { type Hop, NotHere, type Site } from './variant.ts';

type Config = (files: HopFiles, ports: HopPorts) => string;

interface Side {
  /** Unique within the bench. */
  readonly name: string;
  readonly site: Site;
  readonly text: string;
  readonly port: number;
}

export function nginxHop(kind: 'http' | 'stream', entry: Config, exit: Config) {
  return (site: Site, app: number): Promise<Hop> =>
    startBoth(`nginx-${kind}`, site, app, { entry, exit }, (side) => {
      const { directory } = side.site;
      const text = nginxConfig({ directory, name: side.name, kind, servers: side.text, ...nginxHere() });
      return serve({ ...side, text }, (file) => ['nginx', '-e', 'stderr', '-c', file]);
    });
}

export function haproxyHop(entry: Config, exit: Config) {
  return (site: Site, app: number): Promise<Hop> =>
    startBoth('haproxy', site, app, { entry, exit }, (side) => serve(side, (file) => ['haproxy', '-db', '-f', file]));
}

export function envoyHop(kind: EnvoyHop) {
  return (site: Site, app: number): Promise<Hop> => {
    const { envoy } = site;
    if (envoy === undefined) throw new NotHere('Envoy cannot be had here');
    const entry: Config = (files, ports) => envoyEntry(kind, files, ports);
    const exit: Config = (files, ports) => envoyExit(kind, files, ports);
    const command = (file: string): string[] => [
      ...[envoy, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'error', '-c', file],
    ];
    return startBoth(`envoy-${kind}`, site, app, { entry, exit }, (side) => serve(side, command, '.json'));
  };
}

async function startBoth(
  name: string,
  site: Site,
  app: number,
  configs: { entry: Config; exit: Config },
  start: (side: Side) => Promise<Running>,
): Promise<Hop> {
  const [entry = 0, middle = 0] = await freePorts(2);
  const ports = { entry, middle, app };
  const side = (which: 'entry' | 'exit', port: number): Side => ({
    name: `${name}-${port}-${which}`,
    site,
    text: configs[which](site.files, ports),
    port,
  });
  const last = await start(side('exit', middle));
  const first = await start(side('entry', entry));
  return {
    entryPort: entry,
    middlePort: middle,
    entryPids: processTree(first.pid),
    exitPids: processTree(last.pid),
    stop: async () => void (await Promise.all([first.stop(), last.stop()])),
  };
}

async function serve(
  { name, site, text, port }: Side,
  command: (file: string) => readonly string[],
  ending = '.conf',
): Promise<Running> {
  const file = join(site.directory, `${name}${ending}`);
  await writeFile(file, text);
  return site.programs.serve(name, command(file), port);
}
