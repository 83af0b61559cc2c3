import { CommandError } from '../../admin/outcome.ts';
import type { ConnectionInfo } from '../../system/connection-registry.ts';
import type { ResultOf } from '../../admin/commands.ts';
import type { Call, CommandPorts, Handler } from './command-ports.ts';
import { emptyLog, LOG, lookAtLog, peekLog } from './log-connection.ts';

export function connectionCommands(ports: CommandPorts): {
  readonly 'connections.list': Handler<'connections.list'>;
  readonly 'connections.peek': Handler<'connections.peek'>;
  readonly 'connections.empty': Handler<'connections.empty'>;
} {
  const { connections } = ports;
  return {
    'connections.list': async () => ({
      connections: [...connections.list().map(told), await lookAtLog(ports)],
    }),
    'connections.peek': async ({ connection, limit }, call) => {
      if (connection === LOG) {
        return { connection: await lookAtLog(ports), items: await peekLog(ports, limit, call) };
      }
      const info = infoOf(ports, connection);
      const items = info.queued.slice(0, limit).map(({ cost, label }) => ({ label, ...cost }));
      return { connection: told(info), items };
    },
    'connections.empty': (parameters, call) => empty(ports, parameters, call),
  };
}

export function told({
  queued,
  ...info
}: ConnectionInfo): ResultOf<'connections.list'>['connections'][number] {
  return { ...info, queued: queued.length };
}

function infoOf({ connections }: CommandPorts, name: string): ConnectionInfo {
  const all = connections.list();
  const info = all.find((one) => one.name === name);
  if (info === undefined) {
    const names = all.map((one) => one.name).join(', ');
    throw new CommandError(
      'not-found',
      `there is no connection ${name} in this replica; there are: ${names}`,
    );
  }
  return info;
}

const ROWS = /^partition-(\d+)=>regions$/;

/**
 * Files that are dropped are found again. Rows are read again from the last checkpoint when their partition
 * restarts, and set aside in their place: in the same transaction as the checkpoint that is past them.
 */
async function empty(
  ports: CommandPorts,
  { connection: name, discard }: { readonly connection: string; readonly discard: boolean },
  call: Call,
): Promise<ResultOf<'connections.empty'>> {
  if (call.drain.running) {
    throw new CommandError(
      'busy',
      `a drain is under way, which counts what is in ${name}: try again after that`,
    );
  }
  if (name === LOG) {
    return await emptyLog(ports, discard, call);
  }
  const { queued } = infoOf(ports, name);
  const [, partition] = ROWS.exec(name) ?? [];
  if (partition === undefined) {
    const dropped = ports.connections.get(name)?.drop() ?? [];
    return { connection: name, items: dropped.length, rows: 0, rejected: 0 };
  }
  const rows = queued.reduce((sum, { cost }) => sum + cost.rows, 0);
  if (rows === 0) {
    return { connection: name, items: 0, rows: 0, rejected: 0 };
  }
  if (!discard) {
    throw new CommandError(
      'would-lose-rows',
      `${String(rows)} rows wait in ${name}: with --discard they become rejected rows with the reason discarded, ` +
        'and can be redriven',
    );
  }
  const dropped = ports.connections.get(name)?.drop() ?? [];
  const lost = dropped.reduce((sum, { cost }) => sum + cost.rows, 0);
  await ports.system.restart(`partitions/partition-${partition}`);
  return { connection: name, items: dropped.length, rows: lost, rejected: lost };
}
