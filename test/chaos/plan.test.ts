import { expect } from 'chai';
import { FAULT_POINTS } from '../../src/system/faults.ts';
import { planOf, seeded } from './plan.ts';

const AMOUNT = { faults: 3, outside: 4, stops: 2 };

describe('the plan of the chaos', () => {
  it('is that of its seed', () => {
    expect(planOf(AMOUNT, seeded(7))).to.deep.equal(planOf(AMOUNT, seeded(7)));
    expect(planOf(AMOUNT, seeded(7))).not.to.deep.equal(planOf(AMOUNT, seeded(8)));
  });

  it('has each fault point, kills from outside and stops as often as told', () => {
    const plan = planOf(AMOUNT, seeded(7));
    const often = (at: string): number => plan.filter((blow) => blow.at === at).length;
    expect(FAULT_POINTS.map(often)).to.deep.equal([3, 3, 3, 3]);
    expect([often('outside'), often('stop'), plan.length]).to.deep.equal([4, 2, 18]);
  });
});
