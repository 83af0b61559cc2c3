import fs from 'node:fs';
import { expect } from 'chai';
import { asFile, rowLines } from '../../actors/pipeline/support.ts';
import { COMMANDS_MS, Sandbox } from './sandbox.ts';

const SETTINGS = [
  'input: { after: delete }',
  'publisher: { transactionBytes: 32KiB }',
  'source: { maxLineBytes: 1KiB }',
  'checkpoint: { rows: 300 }',
  // As after a loss of power: what was not flushed is gone.
  'broker: { embedded: { safeRestore: true } }',
  'clustering: { algorithm: streaming-kmeans, streamingKMeans: { batchRows: 130, decayFactor: 0.9 } }',
].join('\n');

describe("geoflock run by Spark's rule", function () {
  this.timeout(COMMANDS_MS);
  const boxes: Sandbox[] = [];

  function sandbox(): Sandbox {
    const box = new Sandbox();
    boxes.push(box);
    box.configure(SETTINGS);
    for (const [file, seed] of [3, 4].entries()) {
      box.put(`${String(file)}.csv`, asFile(rowLines(2_000, seed)), 60_000 - 1_000 * file);
    }
    return box;
  }

  afterEach(async () => {
    await Promise.all(boxes.splice(0).map((box) => box.remove()));
  });

  it('makes the same model, to the byte, when it was killed and has lost what was not flushed', async () => {
    const undisturbed = sandbox();
    expect((await undisturbed.once()).code).to.equal(0);
    const killed = sandbox();
    for (const fault of ['checkpoint:2', 'publish-transaction:2', 'flush-acknowledge:3']) {
      const ended = await killed.start(['--once'], { GEOFLOCK_FAULT: fault }).ended;
      // Ended by a signal.
      expect(ended.code, fault).to.equal(null);
    }
    expect((await killed.once()).code).to.equal(0);
    const [expected, found] = [undisturbed, killed].map((box) =>
      fs.readFileSync(box.at('report', 'model.json'), 'utf8'),
    );
    expect(found).to.equal(expected);
    expect(JSON.parse(found ?? '')).to.have.nested.property('time.rows', 4_000);
  });
});
