import { ALL, type CommandRequest } from '../../admin/request.ts';
import type { Outcome } from '../../admin/outcome.ts';
import { CONTROL_PARTITION, type ControlLog, type ControlLogPorts } from './control-log.ts';

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
  { broker, topics }: Pick<ControlLogPorts, 'broker' | 'topics'>,
  log: Pick<ControlLog, 'send'>,
  request: CommandRequest,
  signal: AbortSignal,
): Promise<Outcome> {
  const { id, target } = request;
  const { end } = await broker.offsets(topics.replies, CONTROL_PARTITION);
  const reader = await broker.openReader(topics.replies, CONTROL_PARTITION, end);
  try {
    await log.send(request);
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
