import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { sleep } from '../pipeline/support.ts';
import { type CommandName, parseCommand, type ResultOf } from '../../../src/admin/commands.ts';
import type { Outcome } from '../../../src/admin/outcome.ts';
import type { CommandRequest } from '../../../src/admin/request.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { readToEnd } from '../../../src/broker/read-to-end.ts';

export type Asked = Readonly<Record<string, unknown>> & { readonly name: CommandName };

/** A command as a door gives it. */
function request(command: Asked, envelope: Partial<CommandRequest> = {}): CommandRequest {
  return {
    id: randomUUID(),
    target: 'any',
    expiresAt: Date.now() + 60_000,
    by: 'test',
    door: 'http',
    command: parseCommand(command),
    ...envelope,
  };
}

/** The outcome of a command. */
export function send(
  pipeline: Pipeline,
  command: Asked,
  envelope: Partial<CommandRequest> = {},
): Promise<Outcome> {
  return pipeline.commands.submit(request(command, envelope));
}

/** What a command answers that is carried out. */
export async function done<N extends CommandName>(
  pipeline: Pipeline,
  command: Asked & { readonly name: N },
  envelope: Partial<CommandRequest> = {},
): Promise<ResultOf<N>> {
  const outcome = await send(pipeline, command, envelope);
  if (outcome.status === 'failed') {
    throw new Error(`${command.name}: ${outcome.error.code}: ${outcome.error.message}`);
  }
  return outcome.result as ResultOf<N>;
}

/** Why a command was not carried out: its code and its message. */
export async function refusal(
  pipeline: Pipeline,
  command: Asked,
  envelope: Partial<CommandRequest> = {},
): Promise<readonly [string, string]> {
  const outcome = await send(pipeline, command, envelope);
  if (outcome.status === 'done') {
    return expect.fail(`${command.name} was carried out: ${JSON.stringify(outcome.result)}`);
  }
  return [outcome.error.code, outcome.error.message];
}

/** The records of the topic of replies, in their order. */
export async function audit({
  broker,
  topology,
}: Pipeline): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { replies } = topology.topics;
  const { end, first } = await broker.offsets(replies, 0);
  const reader = await broker.openReader(replies, 0, first);
  const records: Readonly<Record<string, unknown>>[] = [];
  try {
    for await (const batch of readToEnd(reader, end, systemClock, new AbortController().signal)) {
      for (const { value } of batch) {
        records.push(
          JSON.parse(new TextDecoder().decode(value ?? new Uint8Array())) as Record<string, unknown>,
        );
      }
    }
  } finally {
    await reader.close();
  }
  return records;
}

/** Writes to the control topic, as any producer may. */
export async function sendOverTopic(
  { broker, topology }: Pick<Pipeline, 'broker' | 'topology'>,
  ...values: readonly (object | string)[]
): Promise<void> {
  const writer = await broker.openWriter('elsewhere');
  const transaction = writer.begin();
  for (const value of values) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const record = { key: null, value: new TextEncoder().encode(text), timestamp: Date.now() };
    transaction.append(topology.topics.control, 0, [record]);
  }
  await transaction.commit();
  await writer.close();
}

/** The first record of the audit of this command, once it is there. */
export async function audited(pipeline: Pipeline, id: string): Promise<Readonly<Record<string, unknown>>> {
  for (let tries = 0; tries < 1_000; tries++) {
    const found = (await audit(pipeline)).find((record) => record['id'] === id);
    if (found !== undefined) {
      return found;
    }
    await sleep(20);
  }
  throw new Error(`no outcome of command ${id} within 20 s`);
}
