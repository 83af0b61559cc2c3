import type { ResultOf } from '../../admin/commands.ts';
import { STAGES, type Stage } from '../../admin/stages.ts';
import type { ActorInfo } from '../../system/actor-system.ts';
import { readTotals } from '../totals.ts';
import type { Bulletin } from '../../system/bulletins.ts';
import type { Call, CommandPorts, Handler } from './command-ports.ts';
import { told } from './connection-commands.ts';
import { logPositions, toldLog } from './log-connection.ts';
import { modelPorts } from './model-commands.ts';
import { ownedPartitions, stageOf } from './stage-actors.ts';

type Status = ResultOf<'status'>;

export function statusCommands(ports: CommandPorts): {
  readonly status: Handler<'status'>;
  readonly topology: Handler<'topology'>;
} {
  return {
    status: (_none, call) => status(ports, call),
    topology: () => {
      const { deadLetters } = ports.system;
      return {
        replica: ports.replica,
        actors: ports.system.inspect().map((actor) => ({
          ...actor,
          stage: stageOf(actor.path),
          lastError: actor.lastError ?? null,
        })),
        links: linksOf(ports),
        deadLetters: deadLetters.total,
      };
    },
  };
}

async function status(ports: CommandPorts, call: Call): Promise<Status> {
  const { broker, configuration, connections, health, partitions, replica, settings, startedAt } = ports;
  const { topics, version } = ports;
  const actors = ports.system.inspect();
  const totals = await readTotals(broker, topics, partitions);
  const last = await ports.served.get(modelPorts(ports, call));
  const positions = await logPositions(ports, totals.nextOffsets);
  const owned = ownedPartitions(actors);
  const { ending, running } = call.drain;
  const { reasons, status: how } = health.healthz();
  return {
    replica,
    version,
    startedAt: new Date(startedAt).toISOString(),
    state: ending ? 'ending' : running ? 'draining' : 'running',
    stateFolder: configuration.broker.kind === 'embedded' ? configuration.state.directory : null,
    health: {
      status: how,
      live: health.livez().status !== 'failing',
      ready: health.readyz().status !== 'failing',
      reasons: [...reasons],
    },
    stages: stagesOf(ports, actors),
    connections: [...connections.list().map(told), toldLog(ports, positions)],
    partitions: positions.map((position) => ({ ...position, owned: owned.includes(position.partition) })),
    totals: { files: totals.files, rows: totals.rows, rejectedByReason: { ...totals.rejectedByReason } },
    model:
      last === undefined
        ? null
        : {
            k: last.model.k,
            weight: last.model.weight,
            cost: last.model.cost,
            costBounds: last.model.costBounds,
            publishedAt: new Date(last.kept.publishedAt).toISOString(),
            drift: last.model.drift?.alarm ?? null,
          },
    settings: Object.fromEntries([...settings.set.values].map(([key, { value }]) => [key, String(value)])),
  };
}

const MOST_BULLETINS = 5;

function stagesOf({ bulletins, stages }: CommandPorts, actors: readonly ActorInfo[]): Status['stages'] {
  const told = bulletins();
  return STAGES.map((stage: Stage) => {
    const own = actors.filter(({ path }) => stageOf(path) === stage);
    const errors = own.map(({ lastError }) => lastError).filter((error) => error !== undefined);
    const last = own
      .flatMap(({ path }) => told.get(path) ?? [])
      .sort((a, b) => b.at - a.at)
      .slice(0, MOST_BULLETINS);
    return {
      stage,
      paused: stages.isPaused(stage),
      actors: own.length,
      running: own.filter(({ state }) => state === 'running').length,
      restarts: own.reduce((sum, { restarts }) => sum + restarts, 0),
      mailbox: own.reduce((sum, { mailbox }) => sum + mailbox, 0),
      lastError: errors.at(-1) ?? null,
      bulletins: last.map(inWords),
    };
  });
}

function inWords({ at, ...bulletin }: Bulletin): Status['stages'][number]['bulletins'][number] {
  return { ...bulletin, at: new Date(at).toISOString() };
}

function linksOf({ topics }: CommandPorts): ResultOf<'topology'>['links'] {
  return [
    { from: 'file-watcher', to: 'publisher', by: 'connection files' },
    { from: 'publisher', to: 'partitions', by: `topic ${topics.rows}` },
    { from: 'partitions', to: 'regions', by: 'connections partition-<n>=>regions' },
    { from: 'partitions', to: 'centroid-aggregator', by: `table ${topics.regions}` },
    { from: 'centroid-aggregator', to: 'reporter', by: `topic ${topics.models}` },
  ];
}
