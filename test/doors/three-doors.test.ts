import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { type CommandName, COMMANDS } from '../../src/admin/commands.ts';
import { metricsPort } from '../../src/cli/doors.ts';
import { execute } from '../../src/cli/execute.ts';
import { type HttpDoor, startHttpDoor } from '../../src/doors/http/start.ts';
import type { Pipeline } from '../../src/pipeline.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { audit, audited, sendOverTopic } from '../actors/admin/support.ts';
import { asFile, drain, rowLines, Stage, until } from '../actors/pipeline/support.ts';

/** A command, as each door is told it. What is not given here is the same as in `command`. */
interface Case {
  readonly command: Readonly<Record<string, unknown>>;
  /** Words of the command line; a function where they depend on what is there. */
  readonly line: readonly string[];
  /** Which command the line sends, where it makes its answer of another one. */
  readonly sends?: CommandName;
  /** Brings everything to where the command has something to do. */
  readonly before?: (pipeline: Pipeline) => void;
  /** What it has done, in the process itself. */
  readonly effect?: (pipeline: Pipeline, shutdowns: number) => unknown;
}

const paused = ({ topology }: Pipeline): readonly string[] => topology.stages.paused();
const valueOfK = ({ topology }: Pipeline): unknown => topology.settings.configuration.clustering.k;

const CASES: Readonly<Record<CommandName, Case>> = {
  status: { command: {}, line: ['status'] },
  topology: { command: {}, line: ['topology'] },
  pause: {
    command: { stage: 'publisher' },
    line: ['pause', 'publisher'],
    before: ({ topology }) => {
      topology.stages.resume('publisher');
    },
    effect: paused,
  },
  resume: {
    command: { stage: 'publisher' },
    line: ['resume', 'publisher'],
    before: ({ topology }) => {
      topology.stages.pause('publisher');
    },
    effect: paused,
  },
  'run-once': {
    command: { stage: 'file-watcher' },
    line: ['run-once', 'file-watcher'],
    before: ({ topology }) => {
      topology.stages.pause('file-watcher');
    },
    effect: paused,
  },
  restart: {
    command: { actor: 'reporter' },
    line: ['restart', 'reporter'],
    effect: ({ system }) => system.inspect().find(({ path }) => path === 'reporter')?.state,
  },
  'connections.list': { command: {}, line: ['connections', 'list'] },
  'connections.peek': { command: { connection: 'files' }, line: ['connections', 'peek', 'files'] },
  'connections.empty': { command: { connection: 'files' }, line: ['connections', 'empty', 'files'] },
  drain: {
    command: {},
    line: ['drain'],
    before: ({ topology }) => {
      for (const stage of topology.stages.paused()) {
        topology.stages.resume(stage);
      }
    },
  },
  checkpoint: { command: {}, line: ['checkpoint'] },
  'settings.list': { command: {}, line: ['settings'] },
  set: { command: { key: 'k', value: '3' }, line: ['set', 'k', '3'], effect: valueOfK },
  unset: { command: { key: 'k' }, line: ['unset', 'k'], effect: valueOfK },
  predict: {
    command: { positions: [{ longitude: 2, latitude: 48 }] },
    line: ['predict', '2', '48'],
    sends: 'models.show',
  },
  'models.list': { command: {}, line: ['models', 'list'] },
  'models.show': { command: {}, line: ['models', 'show'] },
  'rejected.list': { command: {}, line: ['rejected', 'list'] },
  'rejected.show': { command: { id: 'ID' }, line: ['rejected', 'show', 'ID'] },
  'rejected.redrive': {
    command: { reason: 'late' },
    line: ['rejected', 'redrive', '--reason', 'late'],
  },
  'files.list': { command: {}, line: ['files', 'list'] },
  'files.show': { command: { path: 'a.csv' }, line: ['files', 'show', 'a.csv'] },
  'files.retry': { command: {}, line: ['files', 'retry'] },
  rewind: { command: { toOffset: 'earliest' }, line: ['rewind', '--to-offset', 'earliest'] },
  shutdown: { command: {}, line: ['shutdown'], effect: (_pipeline, shutdowns) => shutdowns > 0 },
};

describe('every command', () => {
  let stage: Stage;
  let pipeline: Pipeline;
  let door: HttpDoor;
  let rejectedId: string;
  let shutdowns = 0;

  before(async () => {
    stage = await Stage.open();
    pipeline = await stage.start(
      { 'checkpoint.every': '100ms', 'model.every': '100ms' },
      {
        live: true,
        onShutdown: () => {
          shutdowns++;
        },
      },
    );
    const { commands, health, replica } = pipeline;
    const metrics = metricsPort(pipeline);
    const configuration = stage.configuration({ 'admin.port': '0' });
    door = await startHttpDoor({ configuration, commands, health, metrics, replica, log: silentLogger });
    await stage.write('a.csv', asFile([...rowLines(200), 'no row']));
    await drain(pipeline);
    await until('there is a model', () => pipeline.topology.stats.aggregator.models > 0);
    const outcome = await overHttp('rejected.list', {});
    rejectedId = (outcome['result'] as { rows: { id: string }[] }).rows[0]?.id ?? '';
  });

  after(async () => {
    await door.close();
    await stage.close();
  });

  /** The record of the audit. */
  async function overHttp(
    name: CommandName,
    parameters: Case['command'],
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = randomUUID();
    const { method, path } = COMMANDS[name].http;
    const left = { ...parameters };
    const filled = path.replaceAll(/\{(\w+)\}/g, (_all, key: string) => {
      const value = left[key] ?? 'latest';
      Reflect.deleteProperty(left, key);
      return encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value));
    });
    const response = await fetch(`${door.url}/api/v1${filled}`, {
      method,
      headers: {
        'Idempotency-Key': id,
        'X-Geoflock-User': 'tester',
        ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      },
      ...(method === 'GET' ? {} : { body: JSON.stringify(left) }),
    });
    const result: unknown = await response.json();
    expect(response.status, JSON.stringify(result)).to.equal(200);
    return { ...(await audited(pipeline, id)), result };
  }

  async function overTopic(
    name: CommandName,
    parameters: Case['command'],
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = randomUUID();
    const expiresAt = Date.now() + 60_000;
    await sendOverTopic(pipeline, { id, expiresAt, by: 'tester', command: { name, ...parameters } });
    return await audited(pipeline, id);
  }

  async function byCommandLine(
    line: readonly string[],
    name: CommandName,
  ): Promise<Readonly<Record<string, unknown>>> {
    const known = new Set((await audit(pipeline)).map(({ id }) => id));
    let [out, err] = ['', ''];
    const code = await execute([...line, '--url', door.url], {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
    });
    expect(code, err).to.equal(0);
    expect(out.length + err.length).to.be.greaterThan(0);
    let record: Readonly<Record<string, unknown>> | undefined;
    for (let tries = 0; record === undefined; tries++) {
      expect(tries, `the record of ${line.join(' ')}`).to.be.lessThan(1_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
      record = (await audit(pipeline)).find(
        ({ command, id }) => !known.has(id) && (command as { name: string }).name === name,
      );
    }
    return record;
  }

  /** What is the same through all doors. */
  const told = ({ command, replica, status }: Readonly<Record<string, unknown>>): unknown => ({
    command,
    replica,
    status,
  });

  for (const [name, { before: prepare, command, effect, line, sends }] of Object.entries(CASES) as [
    CommandName,
    Case,
  ][]) {
    it(`${name} has the same effect and the same record through each door`, async () => {
      const put = <T>(value: T): T =>
        JSON.parse(JSON.stringify(value).replaceAll('"ID"', JSON.stringify(rejectedId))) as T;
      const effects: unknown[] = [];
      const records: Readonly<Record<string, unknown>>[] = [];
      for (const way of [
        () => overHttp(name, put(command)),
        () => overTopic(name, put(command)),
        () => byCommandLine(put(line), sends ?? name),
      ]) {
        prepare?.(pipeline);
        records.push(await way());
        effects.push(effect?.(pipeline, shutdowns));
      }
      expect(records.map(({ door: through }) => through)).to.deep.equal(['http', 'control', 'cli']);
      expect(effects[1]).to.deep.equal(effects[0]);
      expect(effects[2]).to.deep.equal(effects[0]);
      const [http, topic, cli] = records.map(told);
      expect(topic).to.deep.equal(http);
      if (sends === undefined) {
        // Its defaults may be spelled out, and its limits are its own.
        expect((cli as { command: object }).command).to.deep.include({ name });
        expect((cli as { status: string }).status).to.equal('done');
      }
      const [{ result }, { result: answered }] = records as [{ result: object }, { result: object }];
      expect(Object.keys(answered).sort()).to.deep.equal(Object.keys(result).sort());
      if (COMMANDS[name].scope !== 'query' && name !== 'rewind') {
        expect(answered).to.deep.equal(result);
      }
    });
  }
});
