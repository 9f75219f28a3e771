import { expect } from 'chai';
import { GatheredTurn } from '../../../citadel/api/gathered-turn.ts';

describe('requests of one turn', () => {
  it('begin together, after what the turn still had to read', async () => {
    const turn = new GatheredTurn();
    const order: string[] = [];
    const first = turn.begin().then(() => order.push('first begins'));
    process.nextTick(() => order.push('more is read'));
    const second = Promise.resolve()
      .then(() => turn.begin())
      .then(() => order.push('second begins'));
    await Promise.all([first, second]);
    expect(order).to.deep.equal(['more is read', 'first begins', 'second begins']);
  });

  it('are not waited for once they have begun: the next one gets a turn of its own', async () => {
    const turn = new GatheredTurn();
    const first = turn.begin();
    expect(turn.begin()).to.equal(first);
    await first;
    const next = turn.begin();
    expect(next).to.not.equal(first);
    await next;
  });
});
