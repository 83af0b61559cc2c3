import { CommandError } from '../../admin/outcome.ts';
import { isStage, type Stage } from '../../admin/stages.ts';
import { UnknownActorError } from '../../system/actor-system.ts';
import type { Call, CommandPorts, Handler } from './command-ports.ts';
import { actorsOf } from './stage-actors.ts';

export function stageCommands(ports: CommandPorts): {
  readonly pause: Handler<'pause'>;
  readonly resume: Handler<'resume'>;
  readonly 'run-once': Handler<'run-once'>;
  readonly restart: Handler<'restart'>;
} {
  const { stages } = ports;
  return {
    pause: ({ stage }, { drain }) => {
      if (drain.running) {
        throw new CommandError(
          'busy',
          `${stage} is needed by the drain that is under way: pause it after that`,
        );
      }
      stages.pause(stage);
      return { stage, paused: true };
    },
    resume: ({ stage }) => {
      stages.resume(stage);
      return { stage, paused: false };
    },
    'run-once': ({ stage }, call) => runOnce(ports, stage, call),
    restart: ({ actor }, call) => restart(ports, actor, call),
  };
}

async function runOnce(
  { aggregator, reporter, stages }: CommandPorts,
  stage: Stage,
  { context, signal }: Call,
): Promise<{ readonly stage: Stage; readonly units: number; readonly ended: boolean }> {
  if (!stages.isPaused(stage)) {
    throw new CommandError('refused', `${stage} is not paused: it works by itself; pause it first`);
  }
  const running = stages.runOnce(stage);
  // These two do nothing until they are told to.
  if (stage === 'centroid-aggregator') {
    context.tell(aggregator, { type: 'publish-live' });
  } else if (stage === 'reporter') {
    context.tell(reporter, { type: 'refresh' });
  }
  const ended = new Promise<undefined>((resolve) => {
    const cancel = context.clock.after(RUN_ONCE_PATIENCE_MS, () => {
      resolve(undefined);
    });
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        resolve(undefined);
      },
      { once: true },
    );
  });
  const units = await Promise.race([running, ended]);
  return { stage, units: units ?? 1, ended: units !== undefined };
}

/** A unit that takes longer, or for which there is nothing to do, is not awaited. */
const RUN_ONCE_PATIENCE_MS = 5_000;

async function restart(
  ports: CommandPorts,
  name: string,
  { drain }: Call,
): Promise<{ readonly actors: readonly string[] } & { actors: string[] }> {
  const { system } = ports;
  if (drain.running || drain.ending) {
    throw new CommandError('busy', `${name} is needed by the drain that is under way: restart it after that`);
  }
  const paths = isStage(name) ? actorsOf(name, system.inspect()) : [name];
  if (paths.includes('admin')) {
    throw new CommandError('refused', 'the admin actor answers this: shut the process down to start it anew');
  }
  const restarted = new Set<string>();
  for (const path of paths) {
    try {
      for (const each of await system.restart(path)) {
        restarted.add(each);
      }
    } catch (error) {
      if (error instanceof UnknownActorError) {
        const known = system.inspect().map((actor) => actor.path);
        throw new CommandError(
          'not-found',
          `there is no stage or actor ${path}; there are: ${inShort(known)}`,
        );
      }
      throw new CommandError('unavailable', error instanceof Error ? error.message : String(error));
    }
  }
  return { actors: [...restarted] };
}

/** Hundreds of regions are of no help. */
function inShort(paths: readonly string[]): string {
  return paths.filter((path) => path.split('/').length < 3).join(', ');
}
