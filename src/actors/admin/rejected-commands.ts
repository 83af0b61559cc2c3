import type { ResultOf } from '../../admin/commands.ts';
import { CommandError } from '../../admin/outcome.ts';
import { redriveMatching } from '../rejected/redrive-matching.ts';
import { ledgerByFileId, type RejectedFilter, rejectedRows } from '../rejected/rejected-rows.ts';
import { toldRow } from '../rejected/told-row.ts';
import type { CommandPorts, Handler } from './command-ports.ts';
import { modelPorts } from './model-commands.ts';

export function rejectedCommands(ports: CommandPorts): {
  readonly 'rejected.list': Handler<'rejected.list'>;
  readonly 'rejected.show': Handler<'rejected.show'>;
  readonly 'rejected.redrive': Handler<'rejected.redrive'>;
} {
  return {
    'rejected.list': async ({ all, limit, ...wanted }, call) => {
      const files = await ledgerByFileId(modelPorts(ports, call));
      const rows: ResultOf<'rejected.list'>['rows'] = [];
      let found = 0;
      let redriven = 0;
      for await (const listed of rejectedRows(modelPorts(ports, call), filterOf(wanted), call.signal)) {
        found++;
        redriven += Number(listed.redriven);
        if ((all || !listed.redriven) && rows.length < limit) {
          rows.push(toldRow(listed, files));
        }
      }
      return { found, redriven, rows };
    },
    'rejected.show': async ({ id }, call) => {
      const files = await ledgerByFileId(modelPorts(ports, call));
      const filter = { ids: new Set([id]) };
      for await (const listed of rejectedRows(modelPorts(ports, call), filter, call.signal)) {
        return toldRow(listed, files);
      }
      throw new CommandError(
        'not-found',
        `no rejected row ${id} is kept; rejected list tells those that are`,
      );
    },
    'rejected.redrive': async ({ all, ids, row, ...wanted }, call) => {
      if (!all && ids === undefined && wanted.reason === undefined && wanted.file === undefined) {
        throw new CommandError('invalid', 'rejected.redrive: name ids, a reason or a file, or say all');
      }
      if (row !== undefined && ids?.length !== 1) {
        throw new CommandError(
          'invalid',
          'rejected.redrive: a line in the place of a row needs the id of that one row',
        );
      }
      const { configuration } = ports;
      const redrivePorts = { ...modelPorts(ports, call), random: call.context.random };
      const filter = { ...filterOf(wanted), ...(ids === undefined ? {} : { ids: new Set(ids) }) };
      return await redriveMatching(redrivePorts, configuration, filter, row, call.signal);
    },
  };
}

function filterOf({
  file,
  reason,
}: {
  readonly file?: string | undefined;
  readonly reason?: string | undefined;
}): RejectedFilter {
  return { ...(file === undefined ? {} : { file }), ...(reason === undefined ? {} : { reason }) };
}
