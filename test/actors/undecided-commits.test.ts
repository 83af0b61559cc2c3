import { expect } from 'chai';
import { FencedError, UnknownOutcomeError } from '../../src/broker/errors.ts';
import { UndecidedCommits } from '../../src/actors/undecided-commits.ts';

describe('what a commit brings', () => {
  let counted: string[];
  let commits: UndecidedCommits;

  beforeEach(() => {
    counted = [];
    commits = new UndecidedCommits();
  });

  async function commit(partition: number, mark: string | undefined, outcome: Promise<object | undefined>) {
    const count = (): void => {
      counted.push(`${String(partition)} ${String(mark)}`);
    };
    try {
      return await commits.counted(partition, mark, outcome, count);
    } catch (error) {
      return error;
    }
  }

  const lost = (): Promise<never> => Promise.reject(new UnknownOutcomeError('the answer was lost'));

  it('is counted with its answer, and not where nothing was written', async () => {
    const answer = {};
    expect(await commit(0, 'a', Promise.resolve(answer))).to.equal(answer);
    expect(await commit(0, 'b', Promise.resolve(undefined))).to.equal(undefined);
    commits.found(0, 'a');
    commits.found(0, 'b');
    expect(counted).to.deep.equal(['0 a']);
  });

  it('is not counted when another has made what is found: who is fenced has left no trace', async () => {
    expect(await commit(0, 'a', Promise.reject(new FencedError('another writer was opened')))).to.be.an(
      'error',
    );
    commits.found(0, 'a');
    expect(counted).to.deep.equal([]);
  });

  it('is counted once when it is found, where the answer was lost', async () => {
    expect(await commit(0, 'a', lost())).to.be.an('error');
    expect(await commit(1, 'a', lost())).to.be.an('error');
    expect(counted).to.deep.equal([]);
    commits.found(1, 'a');
    commits.found(1, 'a');
    expect(counted).to.deep.equal(['1 a']);
    commits.found(0, 'before');
    commits.found(0, 'a');
    expect(counted).to.deep.equal(['1 a']);
  });

  it('is not counted where nothing would show it', async () => {
    await commit(0, undefined, lost());
    commits.found(0, 'undefined');
    expect(counted).to.deep.equal([]);
  });
});
