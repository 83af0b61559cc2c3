import { expect } from 'chai';

import { ACCEPTED, REJECT_REASONS, reasonOf, verdictOf } from '../../src/rows/reasons.ts';

describe('reject reasons', () => {
  it('keep their numbers, which are part of the kernel interface', () => {
    expect(REJECT_REASONS.join(' ')).to.match(
      /^none line-too-long nul-byte invalid-utf8 quote column-count header-line longitude-not-a-number latitude-not-a-number longitude-out-of-range latitude-out-of-range time-invalid future late empty-message cut-line poison/,
    );
    expect(REJECT_REASONS.length).to.be.below(256);
  });

  it('go to verdicts and back', () => {
    for (const reason of REJECT_REASONS) {
      if (reason !== 'none') expect(reasonOf(verdictOf(reason))).to.equal(reason);
    }
  });

  it('are none for an accepted row or an unknown verdict', () => {
    expect(() => reasonOf(ACCEPTED)).to.throw(RangeError, /verdict 0/);
    expect(() => reasonOf(REJECT_REASONS.length)).to.throw(RangeError, /names no reject reason/);
  });
});
