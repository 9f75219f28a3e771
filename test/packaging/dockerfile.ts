/** The Dockerfile, read as far as the tests need it: what it copies in each stage, and how the image starts. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './rendered.ts';

export interface Copy {
  readonly stage: string;
  /** Another stage, or undefined for the build context. */
  readonly from: string | undefined;
  readonly source: string;
  /** From the stage's working directory unless it begins with a slash. */
  readonly to: string;
}

export interface Dockerfile {
  readonly copies: readonly Copy[];
  /** Of the last stage. */
  readonly workdir: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly user: string;
  readonly ports: readonly number[];
  /** Arguments with their defaults. */
  readonly arguments: Readonly<Record<string, string>>;
  readonly bases: readonly string[];
  readonly runs: readonly { readonly stage: string; readonly command: string }[];
  /** Labels of the last stage. */
  readonly labels: readonly string[];
  /** Links that the last stage makes: name to target. */
  readonly links: Readonly<Record<string, string>>;
  /** Folders that belong to the user of the image. */
  readonly ownFolders: readonly string[];
}

export function readDockerfile(): Dockerfile {
  const steps = instructions(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'));
  const last = steps.findLastIndex(({ word }) => word === 'FROM');
  const final = (word: string): string[] =>
    steps
      .slice(last)
      .filter((step) => step.word === word)
      .map(({ rest }) => rest);
  const setup = final('RUN').join(' && ');
  return {
    copies: steps.filter(({ word }) => word === 'COPY').flatMap(({ stage, rest }) => copiesOf(stage, rest)),
    workdir: final('WORKDIR').at(-1)!,
    entrypoint: JSON.parse(final('ENTRYPOINT').at(-1)!) as string[],
    command: JSON.parse(final('CMD').at(-1)!) as string[],
    user: final('USER').at(-1)!,
    ports: final('EXPOSE').flatMap((rest) => rest.split(/\s+/).map(Number)),
    arguments: Object.fromEntries(
      steps.filter(({ word }) => word === 'ARG').map(({ rest }) => rest.split('=', 2) as [string, string]),
    ),
    bases: steps.filter(({ word }) => word === 'FROM').map(({ rest }) => rest.split(' ')[0]!),
    runs: steps.filter(({ word }) => word === 'RUN').map(({ stage, rest }) => ({ stage, command: rest })),
    labels: final('LABEL').flatMap((rest) => Array.from(rest.matchAll(/([\w.]+)="/g), (match) => match[1]!)),
    links: Object.fromEntries(Array.from(setup.matchAll(/ln -s (\S+) (\S+)/g), (match) => [match[2]!, match[1]!])),
    ownFolders: (/install -d [^&]*-o 65532 -g 65532 ([^&]+)/.exec(setup)?.[1] ?? '').trim().split(/\s+/),
  };
}

interface Instruction {
  readonly stage: string;
  readonly word: string;
  readonly rest: string;
}

function instructions(text: string): Instruction[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n');
  let stage = '';
  return lines.map((line) => {
    const [, word = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
    if (word === 'FROM') stage = / AS (\S+)$/.exec(rest)?.[1] ?? '';
    return { stage, word, rest: rest.replace(/\s+/g, ' ') };
  });
}

function copiesOf(stage: string, rest: string): Copy[] {
  const words = rest.split(' ');
  const from = words[0]?.startsWith('--from=') ? words.shift()!.slice('--from='.length) : undefined;
  const to = words.pop()!;
  return words.map((source) => ({
    stage,
    from,
    source,
    to: to.endsWith('/') ? path.posix.join(to, path.posix.basename(source)) : to,
  }));
}
