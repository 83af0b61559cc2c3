import type { Broker, Writer } from '../broker/broker.ts';
import type { Clock, Random } from '../system/clock.ts';
import { isWriterLost } from './owned-writer.ts';

const TRIES = 20;
const LONGEST_PAUSE_MS = 400;

/**
 * Does `work` under the writer `name`, which nobody owns: whoever wants to write opens it, and thereby
 * fences whoever did before. Who is fenced, or does not know how a commit ended, begins `work` anew: it
 * has to look first at what is committed. Of several at once one comes through each time.
 */
export async function withContestedWriter<T>(
  broker: Broker,
  name: string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const writer = await broker.openWriter(name);
    try {
      return await work(writer);
    } catch (error) {
      if (!isWriterLost(error) || tries === TRIES) {
        throw error;
      }
    } finally {
      await writer.close();
    }
    await new Promise<void>((resolve) => clock.after(LONGEST_PAUSE_MS * random(), resolve));
  }
}
