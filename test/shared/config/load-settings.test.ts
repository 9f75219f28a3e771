import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import { loadSettings, SettingsProblems, type SettingsSource } from '../../../shared/config/load-settings.ts';
import { printSettings, settingsTable } from '../../../shared/config/print-settings.ts';
import { settingsKeys } from '../../../shared/config/settings.ts';

const schema = z.strictObject({
  name: z.string().default('gate').meta({ description: 'Its name.' }),
  limits: z
    .strictObject({
      bodyBytes: z.int().min(1).default(100).meta({ description: 'Bytes | at most.' }),
      open: z.boolean().default(false).meta({ description: 'Whether it is open.' }),
    })
    .prefault({}),
  peers: z.array(z.string()).default([]).meta({ description: 'Who may pass.' }),
  doors: z
    .array(z.strictObject({ to: z.union([z.string(), z.array(z.string())]), wide: z.boolean().optional() }))
    .default([])
    .meta({ description: 'Its doors.' }),
  password: z.string().optional().meta({ description: 'A secret.', secret: true }),
});
const SPEC = { prefix: 'GATE', schema };

describe('settings', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'settings-'));
    file = join(folder, 'gate.yaml');
  });
  after(() => rmSync(folder, { recursive: true }));

  const load = (text?: string, environment: SettingsSource['environment'] = {}) => {
    if (text !== undefined) writeFileSync(file, text);
    return loadSettings(SPEC, { ...(text === undefined ? {} : { file }), environment });
  };
  const problems = (text?: string, environment: SettingsSource['environment'] = {}): readonly string[] => {
    try {
      load(text, environment);
    } catch (error) {
      if (error instanceof SettingsProblems) return error.problems.map((problem) => problem.replace(file, 'gate.yaml'));
      throw error;
    }
    return [];
  };

  it('come from the file, and the environment wins', () => {
    const settings = load('name: north\nlimits:\n  bodyBytes: 5\n', {
      GATE__LIMITS__BODY_BYTES: '7',
      GATE__LIMITS__OPEN: 'true',
      GATE__PEERS: 'a, b',
      GATE__DOORS: '[{"to":"x"}]',
    });
    expect(settings).to.deep.include({
      name: 'north',
      limits: { bodyBytes: 7, open: true },
      peers: ['a', 'b'],
      doors: [{ to: 'x' }],
    });
  });

  it('have defaults, and cannot be changed afterwards', () => {
    const settings = load();
    expect(settings.limits).to.deep.equal({ bodyBytes: 100, open: false });
    expect(() => Object.assign(settings.limits, { open: true })).to.throw(TypeError);
  });

  it('are refused with every problem at once, each with its place', () => {
    const text = 'nmae: x\nlimits:\n  bodyBytes: zero\n  body_bytes: 1\npeers: a\n';
    expect(problems(text, { GATE__LIMITS__OPEN: 'yes', GATE__NOPE: '1', GATE__DOORS: '{' })).to.have.members([
      'gate.yaml:1: unknown key `nmae`, did you mean `name`?',
      'gate.yaml:4: unknown key `limits.body_bytes`, did you mean `bodyBytes`?',
      'gate.yaml:3: `limits.bodyBytes`: Invalid input: expected number, received string',
      'gate.yaml:5: `peers`: Invalid input: expected array, received string',
      'environment GATE__LIMITS__OPEN: `limits.open`: Invalid input: expected boolean, received string',
      'environment GATE__NOPE: no setting has this variable',
      'environment GATE__DOORS: not valid JSON',
    ]);
  });

  it('suggest what was meant by an unknown key, also inside a list, and else tell what is known there', () => {
    expect(problems('doors:\n  - to: a\n    wdie: true\n')).to.deep.equal([
      'gate.yaml:3: unknown key `doors.0.wdie`, did you mean `wide`?',
    ]);
    expect(problems('doors:\n  - to: a\n    colour: red\n')).to.deep.equal([
      'gate.yaml:3: unknown key `doors.0.colour`; known here: to, wide',
    ]);
    expect(problems('limit: {}\n')).to.deep.equal(['gate.yaml:1: unknown key `limit`, did you mean `limits`?']);
    expect(problems('lock: 1\n')[0]).to.equal(
      'gate.yaml:1: unknown key `lock`; known here: name, limits, peers, doors, password',
    );
  });

  it('say of what is not there that it is missing', () => {
    expect(problems('doors:\n  - wide: true\n')).to.deep.equal(['gate.yaml:2: `doors.0.to` is missing']);
    expect(problems('doors:\n  - to: 1\n')[0]).to.include('`doors.0.to`: Invalid input');
    expect(problems('doors:\n  - to:\n')[0]).to.include('`doors.0.to`: Invalid input');
  });

  it('ignore variables that only look like theirs', () => {
    expect(problems(undefined, { GATE_SERVICE_HOST: '1', GATEWAY__X: '1', GATE: '1' })).to.deep.equal([]);
  });

  it('name what is wrong with a file as a whole', () => {
    expect(problems('- a\n')).to.deep.equal(['gate.yaml:1: the file must be a map of keys']);
    expect(problems('name: a\nname: b\n')[0]).to.match(/^gate\.yaml:2: Map keys must be unique/);
    expect(problems('name: [a\n')[0]).to.match(/^gate\.yaml:\d: /);
    expect(problems(`name: ${'x'.repeat(1 << 20)}`)).to.deep.equal(['gate.yaml: larger than 1048576 bytes']);
    const missing = join(folder, 'nowhere.yaml');
    expect(() => loadSettings(SPEC, { file: missing, environment: {} }))
      .to.throw(SettingsProblems)
      .with.property('problems')
      .that.deep.equals([`${missing}: cannot be read (ENOENT)`]);
  });

  it('do not let a file blow itself up by its own references', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]',
      'c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]',
      'd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]',
    ].join('\n');
    expect(problems(bomb)[0]).to.match(/^gate\.yaml: its references/);
  });

  it('print as a file that loads to the same, secrets removed', () => {
    const settings = load('name: north\npassword: SECRET\n');
    const printed = printSettings(SPEC, settings);
    expect(printed).not.to.include('SECRET');
    expect(load(printed)).to.deep.equal({ ...settings, password: '[redacted]' });
    expect(printSettings(SPEC, load('name: north\n'))).not.to.include('password');
  });

  it('never show a secret in a problem', () => {
    expect(problems('password: [SECRET]\n', { GATE__LIMITS__BODY_BYTES: 'x' }).join()).not.to.include('SECRET');
  });

  it('have one variable and one row in the docs for each key', () => {
    expect(settingsKeys(SPEC).map(({ variable }) => variable)).to.deep.equal([
      'GATE__NAME',
      'GATE__LIMITS__BODY_BYTES',
      'GATE__LIMITS__OPEN',
      'GATE__PEERS',
      'GATE__DOORS',
      'GATE__PASSWORD',
    ]);
    const table = settingsTable(SPEC).split('\n');
    expect(table).to.have.length(8);
    expect(table[3]).to.equal('| `limits.bodyBytes` | `GATE__LIMITS__BODY_BYTES` | `100` | Bytes \\| at most. |');
  });
});
