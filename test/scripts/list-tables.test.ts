import { expect } from 'chai';
import { z } from 'zod';
import { listTables } from '../../scripts/list-tables.ts';
import { SIDECAR_SETTINGS } from '../../sidecar/config.ts';

const described = (schema: z.ZodType, description: string) => schema.meta({ description });
const entry = z.strictObject({
  port: described(z.int(), 'Where | it listens.'),
  label: described(z.string().default('app'), 'How <it> is called.'),
  note: described(z.string().optional(), 'Anything.'),
});
const tablesOf = (shape: z.ZodRawShape) => listTables({ prefix: 'X', schema: z.strictObject(shape) });

describe('the tables of keys inside lists', () => {
  it('have one row per key, with its default, or that it is required', () => {
    const rows = tablesOf({ gates: z.array(entry).default([]) })
      .join('\n')
      .split('\n')
      .slice(3);
    expect(rows).to.deep.equal([
      '| `gates[].port` | **required** | Where \\| it listens. |',
      '| `gates[].label` | `"app"` | How &lt;it> is called. |',
      '| `gates[].note` |  | Anything. |',
    ]);
  });

  it('are found behind objects, defaults and options, and only for lists of objects', () => {
    const nested = z.strictObject({ gates: z.array(entry).optional(), words: z.array(z.string()) });
    const titles = tablesOf({ deep: nested.prefault({ words: [] }), single: entry }).filter((_, at) => at % 2 === 0);
    expect(titles).to.deep.equal(['Each entry of `deep.gates`:']);
  });

  it('name every key that a listener of the sidecar must have', () => {
    const text = listTables(SIDECAR_SETTINGS).join('\n');
    for (const key of ['inbound[].app', 'outbound[].name', 'outbound[].listen', 'outbound[].to'])
      expect(text).to.include(`\`${key}\` | **required**`);
  });
});
