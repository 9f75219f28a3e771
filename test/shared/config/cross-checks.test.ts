import { expect } from 'chai';
import { z } from 'zod';
import { type CrossRule, ruleCheck, withCrossCheck } from '../../../shared/config/cross-checks.ts';
import { loadSettings, SettingsProblems } from '../../../shared/config/load-settings.ts';

const single = z.strictObject({
  few: z.int().min(0).default(1).meta({ description: 'Fewest.' }),
  many: z.int().min(0).default(9).meta({ description: 'Most.' }),
  inner: z.strictObject({ name: z.string().default('a') }).prefault({}),
});
type Settings = z.output<typeof single>;

const RULES: readonly CrossRule<Settings>[] = [
  { reads: ['few', 'many'], blames: 'few', holds: ({ few, many }) => few <= many, message: 'must not be above many' },
  { reads: ['inner.name'], blames: 'inner.name', holds: ({ inner }) => inner.name.length < 3, message: 'is long' },
];

describe('checks over several settings', () => {
  const spec = { prefix: 'GATE', schema: withCrossCheck(single, ruleCheck(RULES)) };
  const problems = (environment: Record<string, string>): readonly string[] => {
    try {
      loadSettings(spec, { environment });
    } catch (error) {
      if (error instanceof SettingsProblems) return error.problems.map((one) => one.replace(/^.*?: /, ''));
      throw error;
    }
    return [];
  };

  it('see the defaults of what was not given', () => {
    expect(problems({ GATE__FEW: '10' })).to.deep.equal(['`few`: must not be above many']);
    expect(problems({ GATE__FEW: '9' })).to.deep.equal([]);
  });

  it('run although another value is wrong by itself', () => {
    expect(problems({ GATE__FEW: '10', GATE__INNER__NAME: 'long', GATE__MANY: '9' })).to.have.length(2);
    const found = problems({ GATE__FEW: '-1', GATE__INNER__NAME: 'long' });
    expect(found[0]).to.match(/^`few`: Too small/);
    expect(found.slice(1)).to.deep.equal(['`inner.name`: is long']);
  });

  it('run although a key is unknown', () => {
    const { error } = spec.schema.safeParse({ few: 10, fewer: 1, inner: { nmae: 'x', name: 'long' } });
    expect(error?.issues.map(({ path }) => path.join('.'))).to.have.members(['', 'inner', 'few', 'inner.name']);
  });

  it('keep quiet about values that are wrong, or lie inside of something wrong', () => {
    const { error } = spec.schema.safeParse({ few: '10', inner: null });
    expect(error?.issues.map(({ path }) => path.join('.'))).to.have.members(['few', 'inner']);
  });
});
