import { expect } from 'chai';
import { summaryKey } from '../../src/actors/partition/summary-chunks.ts';
import { checkRegionLevel } from '../../src/actors/region-level.ts';
import { PROGRESS_KEY } from '../../src/actors/topics.ts';
import type { EmbeddedBroker } from '../../src/broker/embedded/broker.ts';
import { TopicMismatchError } from '../../src/broker/errors.ts';
import { regionToken } from '../../src/geo/s2.ts';
import { openAt, removeDirectory, temporaryDirectory } from '../broker/fixtures.ts';

const TABLE = 'geoflock.regions';

describe('the region level of a state', () => {
  let directory: string;
  let broker: EmbeddedBroker;

  beforeEach(async () => {
    directory = await temporaryDirectory();
    broker = await openAt(directory);
    await broker.declareTopics([{ name: TABLE, kind: 'table', partitions: 2 }]);
  });

  afterEach(async () => {
    await broker.close();
    await removeDirectory(directory);
  });

  async function put(partition: number, key: string): Promise<void> {
    const transaction = (await broker.openWriter('test')).begin();
    transaction.put(TABLE, partition, key, new Uint8Array(8));
    await transaction.commit();
  }

  async function refusal(level: number): Promise<unknown> {
    return await checkRegionLevel(broker, TABLE, 2, level).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  it('is any while there are no summaries', async () => {
    await put(0, PROGRESS_KEY);
    expect(await refusal(3)).to.equal(undefined);
    expect(await refusal(4)).to.equal(undefined);
  });

  it('is refused when it is another than that of the summaries, in whichever partition they are', async () => {
    await put(1, summaryKey(regionToken(9, 3), 'head', 0));
    expect(await refusal(3)).to.equal(undefined);
    const error = await refusal(4);
    expect(error).to.be.instanceOf(TopicMismatchError);
    expect((error as Error).message).to.include('set regions.level to 3');
  });
});
