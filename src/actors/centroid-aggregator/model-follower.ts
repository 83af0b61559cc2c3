import type { Broker, PartitionReader } from '../../broker/broker.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { PublishedModel } from './messages.ts';
import { decodePublished } from './published-model.ts';

/** Offsets before the end where following begins: the last model is among them, markers included. */
const LOOK_BACK = 16;
const READ_BYTES = 1024 * 1024;

/** Hands over each model that another replica publishes, and the last one at the start. */
export async function followModels(
  broker: Broker,
  topic: string,
  take: (published: PublishedModel) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let reader: PartitionReader | undefined;
  try {
    const { end, first } = await unlessAborted(broker.offsets(topic, 0), signal);
    reader = await unlessAborted(
      broker.openReader(topic, 0, Math.max(first, end - LOOK_BACK)),
      signal,
      (late) => late.close(),
    );
    while (!signal.aborted) {
      // Of several only the last counts.
      const value = (await reader.read(READ_BYTES, signal)).at(-1)?.value ?? null;
      if (value !== null) {
        await take(decodePublished(value));
      }
    }
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  } finally {
    await reader?.close();
  }
}
