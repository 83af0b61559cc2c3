import { createSocket, type Socket } from 'node:dgram';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket as Stream } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { StatsdMetrics, type StatsdOptions, type StatsdSettings } from '../../src/metrics/hot-shots.ts';
import { systemClock } from '../../src/system/clock.ts';
import { until } from '../actors/pipeline/support.ts';
import { within } from '../support/within.ts';

const SETTINGS: StatsdSettings = {
  host: '127.0.0.1',
  port: 8125,
  socket: null,
  flavor: 'dogstatsd',
  prefix: 'geoflock',
  sampleRate: 1,
  tags: [],
  maxBufferBytes: 1432,
};
const CLOSES_WITHIN_MS = 5_000;

describe('StatsD', () => {
  let daemon: Socket;
  let datagrams: string[];
  let errors: string[];
  let open: StatsdMetrics[];

  beforeEach(async () => {
    datagrams = [];
    errors = [];
    open = [];
    daemon = createSocket('udp4');
    daemon.on('message', (bytes) => datagrams.push(bytes.toString()));
    await new Promise<void>((resolve) => daemon.bind(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    for (const metrics of open) {
      await within(CLOSES_WITHIN_MS, 'the end of a client', metrics.close());
    }
    daemon.close();
  });

  function start(
    settings: Partial<StatsdSettings> = {},
    options: Partial<StatsdOptions> = {},
  ): StatsdMetrics {
    const metrics = new StatsdMetrics(
      { ...SETTINGS, port: daemon.address().port, ...settings },
      { clock: systemClock, onError: (error) => errors.push(error.message), ...options },
    );
    open.push(metrics);
    return metrics;
  }

  function lines(): readonly string[] {
    return datagrams.flatMap((datagram) => datagram.split('\n'));
  }

  function recordAll(metrics: StatsdMetrics): void {
    metrics.count('statsd.errors', 3);
    metrics.count('partition.rows.rejected', 4, { reason: 'late', partition: '3' });
    metrics.gauge('connection.rows', [
      { value: 16_384, tags: { connection: 'partition-3=>regions' } },
      { value: 0, tags: { connection: 'files' } },
    ]);
    metrics.time('transaction.time', 41.5, { stage: 'publisher' });
    metrics.time('model.delay', -1);
  }

  it('has tags as DogStatsD knows them, with those that were given', async () => {
    const metrics = start({ tags: ['env:production', 'site:north'] });
    recordAll(metrics);
    await metrics.flush();
    await until('all lines are there', () => lines().length === 6);
    expect(lines()).to.deep.equal([
      'geoflock.statsd.errors:3|c|#env:production,site:north',
      'geoflock.partition.rows.rejected:4|c|#env:production,site:north,reason:late,partition:3',
      'geoflock.connection.rows:16384|g|#env:production,site:north,connection:partition-3-regions',
      'geoflock.connection.rows:0|g|#env:production,site:north,connection:files',
      'geoflock.transaction.time:41.5|ms|#env:production,site:north,stage:publisher',
      'geoflock.model.delay:0|ms|#env:production,site:north',
    ]);
    expect(errors).to.deep.equal([]);
  });

  it('has plain names with the values of the tags in them', async () => {
    const metrics = start({ flavor: 'plain', prefix: 'maps.geoflock' });
    recordAll(metrics);
    await metrics.flush();
    await until('all lines are there', () => lines().length === 6);
    expect(lines()).to.deep.equal([
      'maps.geoflock.statsd.errors:3|c',
      'maps.geoflock.partition.rows.rejected.3.late:4|c',
      'maps.geoflock.connection.rows.partition-3-regions:16384|g',
      'maps.geoflock.connection.rows.files:0|g',
      'maps.geoflock.transaction.time.publisher:41.5|ms',
      'maps.geoflock.model.delay:0|ms',
    ]);
  });

  it('says nothing of Datadog’s environment', async () => {
    const variables = { DD_AGENT_HOST: '203.0.113.1', DD_ENV: 'x', DD_TAGS: 'a:b', DD_ENTITY_ID: 'y' };
    Object.assign(process.env, variables);
    try {
      const metrics = start();
      metrics.count('statsd.errors', 1);
      await metrics.flush();
      await until('the line is there', () => lines().length === 1);
      expect(lines()).to.deep.equal(['geoflock.statsd.errors:1|c']);
    } finally {
      for (const name of Object.keys(variables)) {
        Reflect.deleteProperty(process.env, name);
      }
    }
  });

  it('sends no datagram above the limit, fills them, and loses no line', async () => {
    const limit = 300;
    const metrics = start({ maxBufferBytes: limit });
    for (let partition = 0; partition < 200; partition++) {
      metrics.count('partition.rows.counted', partition + 1, { partition: String(partition) });
    }
    await metrics.flush();
    await until('all lines are there', () => lines().length === 200);
    const sizes = datagrams.map((datagram) => Buffer.byteLength(datagram));
    expect(Math.max(...sizes)).to.be.at.most(limit);
    expect(Math.min(...sizes.slice(0, -1))).to.be.above(limit - 60);
    const sum = lines().reduce((rows, line) => rows + Number(/:(\d+)\|c/.exec(line)?.[1]), 0);
    expect(sum).to.equal(20_100);
  });

  it('sends a share of the timings, with the rate, and all counts and gauges', async () => {
    const metrics = start({ sampleRate: 0.25 });
    const times = 4_000;
    for (let time = 0; time < times; time++) {
      metrics.time('model.delay', time);
      // A socket that is read in the same process takes so much at a time.
      if (time % 100 === 99) {
        await metrics.flush();
        await new Promise(setImmediate);
      }
    }
    metrics.count('statsd.errors', 7);
    metrics.gauge('model.k', [{ value: 5, tags: {} }]);
    await metrics.flush();
    await until('the gauge is there', () => lines().includes('geoflock.model.k:5|g'));
    expect(lines()).to.include('geoflock.statsd.errors:7|c');
    const sampled = lines().filter((line) => line.startsWith('geoflock.model.delay:'));
    expect(sampled.every((line) => line.endsWith('|ms|@0.25'))).to.equal(true);
    // Twenty standard deviations.
    expect(sampled.length).to.be.within(times / 4 - 550, times / 4 + 550);
  });

  it('asks one question for a host’s address, however many datagrams wait for it', async () => {
    const answers: (() => void)[] = [];
    const metrics = start(
      { host: 'statsd.example', maxBufferBytes: 256 },
      {
        resolve: (host, family, done) => {
          expect([host, family]).to.deep.equal(['statsd.example', 4]);
          answers.push(() => {
            done(null, '127.0.0.1', 4);
          });
        },
      },
    );
    for (let partition = 0; partition < 60; partition++) {
      metrics.count('partition.rows.counted', 1, { partition: String(partition) });
    }
    const flushed = metrics.flush();
    await until('it asks', () => answers.length > 0);
    expect(answers).to.have.length(1);
    answers[0]?.();
    await flushed;
    await until('all lines are there', () => lines().length === 60);
    expect(answers).to.have.length(1);
    expect(errors).to.deep.equal([]);
  });

  it('counts what a host without an address loses, and goes on when it has one', async () => {
    let known = false;
    const metrics = start(
      { host: 'statsd.example' },
      {
        resolve: (_host, family, done) => {
          setImmediate(() => {
            done(known ? null : new Error('ENOTFOUND'), known ? '127.0.0.1' : '', family);
          });
        },
      },
    );
    metrics.count('statsd.errors', 1);
    await metrics.flush();
    expect(errors).to.have.length(1);
    expect(errors[0]).to.include('ENOTFOUND');
    known = true;
    metrics.ready();
    metrics.count('statsd.errors', 2);
    await metrics.flush();
    await until('the line is there', () => lines().length === 1);
    expect(lines()).to.deep.equal(['geoflock.statsd.errors:2|c']);
    expect(errors).to.have.length(1);
  });

  it('ends in time while the address of its host never comes, and takes nothing afterwards', async () => {
    const metrics = start({ host: 'statsd.example' }, { resolve: () => undefined });
    metrics.count('statsd.errors', 1);
    await within(CLOSES_WITHIN_MS, 'the end', metrics.close());
    await until('the loss is told', () => errors.length === 1);
    recordAll(metrics);
    metrics.ready();
    await metrics.flush();
    await metrics.close();
    expect(datagrams).to.deep.equal([]);
  });

  describe('by a unix socket', () => {
    let folder: string;
    let path: string;
    let server: Server;
    let streams: Stream[];
    let text: string;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'geoflock-statsd-'));
      path = join(folder, 'statsd.sock');
      streams = [];
      text = '';
      await listen();
    });

    afterEach(async () => {
      hangUp();
      await rm(folder, { recursive: true });
    });

    async function listen(reads = true): Promise<void> {
      server = createServer((stream) => {
        streams.push(stream);
        stream.on('error', () => undefined);
        if (reads) {
          stream.on('data', (bytes) => (text += bytes.toString()));
        } else {
          stream.pause();
        }
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
    }

    function hangUp(): void {
      for (const stream of streams.splice(0)) {
        stream.destroy();
      }
      server.close();
    }

    it('sends lines, and what is under way at the end too', async () => {
      const metrics = start({ socket: path });
      metrics.count('statsd.errors', 1);
      await metrics.flush();
      metrics.count('statsd.errors', 2);
      await metrics.close();
      await until('both lines are there', () => text.split('\n').length === 3);
      expect(text).to.equal('geoflock.statsd.errors:1|c\ngeoflock.statsd.errors:2|c\n');
      expect(errors).to.deep.equal([]);
    });

    it('goes on with a daemon that was started again, and counts what was lost between', async () => {
      const metrics = start({ socket: path });
      metrics.count('statsd.errors', 1);
      await metrics.flush();
      await until('the line is there', () => text !== '');
      hangUp();
      for (let lost = 1; errors.length === 0 && lost < 100; lost++) {
        metrics.ready();
        metrics.count('statsd.errors', 100);
        await metrics.flush();
        await new Promise(setImmediate);
      }
      expect(errors).to.not.deep.equal([]);
      await listen();
      text = '';
      metrics.ready();
      metrics.count('statsd.errors', 2);
      await metrics.flush();
      await until('the line is there', () => text !== '');
      expect(text).to.equal('geoflock.statsd.errors:2|c\n');
    });

    it('holds no more than it may for a daemon that does not read', async () => {
      hangUp();
      await listen(false);
      const metrics = start({ socket: path, maxBufferBytes: 65_507 });
      const flushes: Promise<void>[] = [];
      const before = process.memoryUsage().rss;
      for (let round = 0; round < 3_000; round++) {
        metrics.ready();
        for (let partition = 0; partition < 64; partition++) {
          metrics.count('partition.rows.counted', 1, { partition: String(partition) });
        }
        flushes.push(metrics.flush());
        if (round % 50 === 0) {
          await new Promise(setImmediate);
        }
      }
      expect(streams.length, 'sockets that were given up').to.be.above(2);
      expect(process.memoryUsage().rss - before).to.be.below(200 * 2 ** 20);
      await metrics.close();
      await within(CLOSES_WITHIN_MS, 'the end of all flushes', Promise.all(flushes));
      expect(errors).to.not.deep.equal([]);
    });
  });
});
