import type { Command, CommandName } from '../../admin/commands.ts';
import type { Transaction } from '../../broker/broker.ts';
import { putRewind, type RewindTo } from '../rewind/request-rewind.ts';
import type { Call, CommandPorts, Handler, SharedHandler } from './command-ports.ts';
import { connectionCommands } from './connection-commands.ts';
import type { SharedChange } from './control-log.ts';
import { fileCommands, retryFiles } from './file-commands.ts';
import { modelCommands, modelPorts } from './model-commands.ts';
import { rejectedCommands } from './rejected-commands.ts';
import { runCommands } from './run-commands.ts';
import { setValue, settingCommands, unsetValue } from './setting-commands.ts';
import { stageCommands } from './stage-commands.ts';
import { statusCommands } from './status-commands.ts';

type SharedName = 'set' | 'unset' | 'files.retry' | 'rewind';
type OwnName = Exclude<CommandName, SharedName>;

/** What carries out each command: those of one replica, and those of what all share. */
export interface Handlers {
  readonly own: { readonly [N in OwnName]: Handler<N> };
  readonly shared: { readonly [N in SharedName]: SharedHandler<N> };
}

export function commandHandlers(ports: CommandPorts): Handlers {
  return {
    own: {
      ...statusCommands(ports),
      ...stageCommands(ports),
      ...connectionCommands(ports),
      ...runCommands(ports),
      ...settingCommands(ports),
      ...modelCommands(ports),
      // A redrive, too: each row has its own mark, so what is done twice sends nothing twice.
      ...rejectedCommands(ports),
      ...fileCommands(ports),
    },
    shared: {
      set: setValue(ports),
      unset: unsetValue(ports),
      'files.retry': retryFiles(ports),
      rewind: async ({ toOffset, toTime }, call, transaction) => {
        const to: RewindTo =
          toTime === undefined
            ? { kind: 'offset', offset: toOffset ?? 'earliest' }
            : { kind: 'time', time: Date.parse(toTime) };
        const own = { ...modelPorts(ports, call), random: call.context.random };
        const { committed, requested } = await putRewind(own, to, transaction);
        return { result: { ...requested, partitions: [...requested.partitions] }, after: committed };
      },
    },
  };
}

export function isShared(handlers: Handlers, name: CommandName): name is SharedName {
  return Object.hasOwn(handlers.shared, name);
}

/** @throws CommandError, and what else went wrong. */
export async function carryOut(
  handlers: Handlers,
  { name, parameters }: Command,
  call: Call,
): Promise<unknown> {
  const handler = handlers.own[name as OwnName] as Handler<OwnName>;
  return await handler(parameters as never, call);
}

/** @throws CommandError, and what else went wrong. */
export async function changeShared(
  handlers: Handlers,
  { name, parameters }: Command,
  call: Call,
  transaction: Transaction,
): Promise<SharedChange> {
  const handler = handlers.shared[name as SharedName] as SharedHandler<SharedName>;
  return await handler(parameters, call, transaction);
}
