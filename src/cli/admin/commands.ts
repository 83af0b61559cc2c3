import type { Command } from 'commander';
import { loadSettings, type SettingFlags } from '../settings.ts';
import { examples, type Finish, type Output, wholeNumber } from '../usage.ts';
import { addDoorFlags, type DoorFlags } from './door.ts';
import type { CarriedName } from './run-command.ts';

type CarriedFlags = SettingFlags &
  DoorFlags & {
    readonly json?: boolean;
    readonly watch?: boolean;
    readonly limit?: number;
    readonly discard?: boolean;
  };

/** A command of the command line: its words, its arguments by the name of the parameter, and its own flags. */
interface Carried {
  readonly words: string;
  readonly name: CarriedName;
  readonly about: string;
  readonly arguments?: readonly (readonly [parameter: string, about: string])[];
  readonly flags?: readonly ('limit' | 'discard')[];
  readonly examples?: readonly string[];
}

const STAGE = [
  'stage',
  'file-watcher, publisher, partitions, regions, centroid-aggregator or reporter',
] as const;
const CONNECTION = ['connection', 'its name, as `geoflock connections list` tells it'] as const;
const KEY = ['key', 'k, half-life, lateness, log-level, or the key of the configuration'] as const;

const CARRIED: readonly Carried[] = [
  {
    words: 'status',
    name: 'status',
    about: 'what a running Geoflock does: stages, connections, totals, model, warnings',
    examples: [
      'geoflock status',
      'geoflock status --watch',
      'geoflock status --url http://10.0.0.7:8470 --json',
    ],
  },
  {
    words: 'topology',
    name: 'topology',
    about: 'the tree of its actors, and the connections between its stages',
    examples: ['geoflock topology'],
  },
  {
    words: 'pause',
    name: 'pause',
    about: 'let a stage begin no more work; what comes queues up to its threshold',
    arguments: [STAGE],
    examples: ['geoflock pause publisher'],
  },
  {
    words: 'resume',
    name: 'resume',
    about: 'let a paused stage go on',
    arguments: [STAGE],
    examples: ['geoflock resume publisher'],
  },
  {
    words: 'run-once',
    name: 'run-once',
    about: 'let a paused stage do one unit of its work',
    arguments: [STAGE],
    examples: ['geoflock run-once publisher'],
  },
  {
    words: 'restart',
    name: 'restart',
    about: 'stop an actor, await what it is at, and start it anew from what is committed',
    arguments: [['actor', 'a stage, or the path of an actor as `geoflock topology` tells it']],
    examples: ['geoflock restart publisher'],
  },
  {
    words: 'connections list',
    name: 'connections.list',
    about: 'what is in each, its thresholds, who waits',
    examples: ['geoflock connections list'],
  },
  {
    words: 'connections peek',
    name: 'connections.peek',
    about: 'what waits in one, in order',
    arguments: [CONNECTION],
    flags: ['limit'],
    examples: ['geoflock connections peek files --limit 10'],
  },
  {
    words: 'connections empty',
    name: 'connections.empty',
    about: 'drop what waits in one; rows only with --discard',
    arguments: [CONNECTION],
    flags: ['discard'],
    examples: ["geoflock connections empty 'partition-0=>regions' --discard"],
  },
  {
    words: 'drain',
    name: 'drain',
    about: 'count everything that is there now, then publish the canonical model',
    examples: ['geoflock drain --timeout 5m'],
  },
  {
    words: 'checkpoint',
    name: 'checkpoint',
    about: 'commit what is counted now, and answer when it is on stable storage',
    examples: ['geoflock checkpoint'],
  },
  {
    words: 'settings',
    name: 'settings.list',
    about: 'what can be set while it runs: the value in use, and where it is from',
    examples: ['geoflock settings'],
  },
  {
    words: 'set',
    name: 'set',
    about: 'set something for all replicas; it outlives a restart',
    arguments: [KEY, ['value', 'as it is written in the configuration']],
    examples: ['geoflock set k 12', 'geoflock set half-life 2h'],
  },
  {
    words: 'unset',
    name: 'unset',
    about: 'go back to what the configuration says',
    arguments: [KEY],
    examples: ['geoflock unset k'],
  },
  {
    words: 'shutdown',
    name: 'shutdown',
    about: 'drain what is read, commit, and end the process',
    examples: ['geoflock shutdown', 'geoflock shutdown --target all'],
  },
];

/** The commands that are carried to a running Geoflock. */
export function addAdmin(program: Command, output: Output, finish: Finish): void {
  const connections = program
    .command('connections')
    .description('list, look into and empty the connections between the stages of a running Geoflock');
  for (const carried of CARRIED) {
    const words = carried.words.split(' ');
    const command = (words.length === 2 ? connections : program)
      .command(words.at(-1) ?? '')
      .description(carried.about);
    for (const [parameter, about] of carried.arguments ?? []) {
      command.argument(`<${parameter}>`, about);
    }
    addCarriedFlags(command, carried);
    command
      .addHelpText('after', examples(carried.examples ?? []))
      .action(async (...given: readonly unknown[]) => {
        const flags = command.opts<CarriedFlags>();
        const { configuration } = await loadSettings(flags);
        const { carryCommand, watchStatus } = await import('./run-command.ts');
        const options = { json: flags.json === true, door: flags };
        if (flags.watch === true) {
          finish(await watchStatus(configuration, options, output, process.stdout.isTTY));
          return;
        }
        const { discard, limit } = flags;
        const named =
          carried.arguments?.map(([parameter], index) => [parameter, given[index]] as const) ?? [];
        const parameters = {
          ...Object.fromEntries(named),
          ...(limit === undefined ? {} : { limit }),
          ...(discard === undefined ? {} : { discard }),
        };
        finish(await carryCommand(configuration, carried.name, parameters, options, output));
      });
  }
}

function addCarriedFlags(command: Command, { flags = [], name }: Carried): void {
  if (name === 'status') {
    command.option('--watch', 'again and again, once a second, until Ctrl-C');
  }
  if (flags.includes('limit')) {
    command.option('--limit <n>', 'most items to print (default: 100)', wholeNumber(1));
  }
  if (flags.includes('discard')) {
    command.option('--discard', 'set rows aside as rejected');
  }
  addDoorFlags(command)
    .option('--target <replica>', 'name of a replica, any or all (default: the one that is asked)')
    .option('--config <dir>', 'folder with configuration files of your own')
    .option('--json', 'print the answer as JSON');
}
