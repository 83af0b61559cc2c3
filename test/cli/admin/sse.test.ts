import { expect } from 'chai';
import { serverSentEvents } from '../../../src/cli/admin/sse.ts';

describe('server-sent events', () => {
  const STREAM =
    'retry: 3000\n\nevent: status\ndata: {"place":"São Paulo"}\n\n: nothing new yet\n\ndata: a\ndata:b\n\nevent: cut';

  it('are read however the bytes are cut', async () => {
    const bytes = Buffer.from(STREAM);
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );
      const events: unknown[] = [];
      const stream = (async function* () {
        yield* await Promise.resolve(pieces);
      })();
      for await (const event of serverSentEvents(stream)) {
        events.push(event);
      }
      expect(events, `pieces of ${String(size)}`).to.deep.equal([
        { event: 'status', data: '{"place":"São Paulo"}' },
        { event: 'message', data: 'a\nb' },
      ]);
    }
  });
});
