import { ALL, type CommandRequest } from '../../admin/request.ts';
import type { Outcome } from '../../admin/outcome.ts';
import type { ControlLogPorts } from './control-log.ts';
import { CONTROL_PARTITION } from './control-log.ts';
import { withContestedWriter } from '../writer-race.ts';

/** What a replica answered, as it stands on the topic of replies. */
interface Reply {
  readonly id: string;
  readonly replica: string;
  readonly status: 'done' | 'failed';
  readonly result?: unknown;
  readonly error?: Extract<Outcome, { status: 'failed' }>['error'];
}

const READ_BYTES = 256 * 1024;

/**
 * Sends a command to another replica, or to all, over the control topic, and waits for what it answers: the
 * one, or of all what came until `signal` aborts.
 */
export async function forward(
  ports: ControlLogPorts,
  request: CommandRequest,
  signal: AbortSignal,
): Promise<Outcome> {
  const { broker, clock, replica, topics } = ports;
  const { by, command, expiresAt, id, target } = request;
  const { end } = await broker.offsets(topics.replies, CONTROL_PARTITION);
  const reader = await broker.openReader(topics.replies, CONTROL_PARTITION, end);
  try {
    const record = {
      id,
      target,
      expiresAt,
      by: `${by} via ${replica}`.slice(0, 200),
      command: { name: command.name, ...command.parameters },
    };
    await withContestedWriter(broker, `control-${replica}`, ports, async (writer) => {
      const transaction = writer.begin();
      const value = new TextEncoder().encode(JSON.stringify(record));
      transaction.append(topics.control, CONTROL_PARTITION, [{ key: id, value, timestamp: clock.now() }]);
      await (await transaction.commit()).flushed;
    });
    const replies: Reply[] = [];
    while (!signal.aborted) {
      for (const { key, value } of await reader.read(READ_BYTES, signal)) {
        if (key !== id || value === null) {
          continue;
        }
        const reply = JSON.parse(new TextDecoder().decode(value)) as Reply;
        if (target !== ALL) {
          return outcomeOf(reply);
        }
        replies.push(reply);
      }
    }
    if (replies.length > 0) {
      return {
        status: 'done',
        result: { replies: replies.map((reply) => ({ replica: reply.replica, ...outcomeOf(reply) })) },
      };
    }
    return noAnswer(request);
  } finally {
    await reader.close();
  }
}

function outcomeOf({ error, result, status }: Reply): Outcome {
  return status === 'failed' && error !== undefined ? { status, error } : { status: 'done', result };
}

function noAnswer({ command, expiresAt, id, target }: CommandRequest): Outcome {
  const message =
    `no answer of ${target} to ${command.name} (id ${id}) until it expired at ${new Date(expiresAt).toISOString()}: ` +
    'is there a replica of that name? status of each tells its name';
  return { status: 'failed', error: { code: 'timeout', message } };
}
