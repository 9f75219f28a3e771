/** What a file must be like from outside: its name, its size and how it begins. */
import type { Rule } from './rule.ts';
import type { SourceFile } from './source-tree.ts';

const MOST_LINES = 300;
const MOST_TEST_LINES = 400;
/** Names that say nothing of what is inside. */
const EMPTY_NAMES = ['utils', 'util', 'helpers', 'helper', 'manager', 'common', 'base', 'misc'];

export const kebabCase: Rule = {
  name: 'files and folders are named in kebab-case',
  check: (file) => {
    if (!isCode(file)) return [];
    const odd = file.path.split('/').filter((part) => !/^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/.test(part));
    return odd.map((part) => `${file.path}: ${part} is not kebab-case`);
  },
};

export const tellingNames: Rule = {
  name: 'no file or folder has a name that says nothing',
  check: (file) => {
    if (!isCode(file)) return [];
    const words = file.path.split(/[/.-]/);
    return EMPTY_NAMES.filter((name) => words.includes(name)).map((name) => `${file.path}: \`${name}\` says nothing`);
  },
};

export const smallFiles: Rule = {
  name: `no file is longer than ${MOST_LINES} lines, none of the tests longer than ${MOST_TEST_LINES}`,
  check: (file) => {
    if (!isCode(file)) return [];
    const lines = file.text.split('\n').length - 1;
    const most = file.path.startsWith('test/') ? MOST_TEST_LINES : MOST_LINES;
    return lines > most ? [`${file.path}: ${lines} lines, at most ${most}`] : [];
  },
};

export const purposeFirst: Rule = {
  name: 'every source file begins by saying what it is for',
  check: (file) => {
    if (!isCode(file) || (file.path.endsWith('.test.ts') && !file.path.startsWith('test/e2e/'))) return [];
    const start = file.text.replace(/^#!.*\n/, '');
    const comment = file.path.endsWith('.sh') ? /^# \S/ : /^(\/\*\*\s|\/\/ \S)/;
    return comment.test(start) ? [] : [`${file.path}:1: does not begin with a purpose comment`];
  },
};

function isCode(file: SourceFile): boolean {
  return /\.(ts|js|sh)$/.test(file.path);
}
