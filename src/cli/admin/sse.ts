export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/** Server-sent events in a stream of bytes (WHATWG HTML, section 9.2), as far as they are used here. */
export async function* serverSentEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of bytes) {
    const blocks = (rest + decoder.decode(piece, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = block.split('\n').flatMap((line) => {
        const [, name = '', value = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
        return name === '' ? [] : [[name, value] as const];
      });
      const data = fields.filter(([name]) => name === 'data').map(([, value]) => value);
      if (data.length > 0) {
        const event = fields.findLast(([name]) => name === 'event')?.[1] ?? 'message';
        yield { event, data: data.join('\n') };
      }
    }
  }
}
