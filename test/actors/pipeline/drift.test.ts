import { expect } from 'chai';
import { type ModelPorts, modelAt } from '../../../src/actors/models/model-at.ts';
import { type DriftEvent, type ModelDrift, toldDrift } from '../../../src/clustering/drift.ts';
import type { DriftOptions, ModelSettings } from '../../../src/clustering/drift-at.ts';
import type { Model } from '../../../src/clustering/model.ts';
import { createRandom } from '../../../src/clustering/random.ts';
import { modelSettingsOf } from '../../../src/clustering-options.ts';
import type { Pipeline, PipelineOptions } from '../../../src/pipeline.ts';
import { systemClock } from '../../../src/system/clock.ts';
import {
  asFile,
  drain,
  onStage,
  published,
  RecordedLog,
  type Settings,
  sleep,
  type Stage,
  until,
} from './support.ts';

const SPOTS = 6;
const ROWS = 600;
/** Wide enough a history for the long model, and panes of a width that a grid has. */
const PANE_MS = 3_600_000 / 64;
const BEGIN = Date.UTC(2026, 0, 1);
const SETTINGS: Settings = {
  'clustering.k': String(SPOTS),
  'clustering.seeds': '4',
  'clustering.window': `${String(10 * PANE_MS)}ms`,
  'regions.pane': `${String(PANE_MS)}ms`,
  'model.every': '20ms',
  'checkpoint.every': '50ms',
};
const PATIENCE_MS = 60_000;

const startOf = (pane: number): string => new Date(BEGIN + pane * PANE_MS).toISOString();

/** The rows of one pane; half of the hot spots are elsewhere once they have jumped. */
function paneRows(pane: number, jumped: boolean, rows = ROWS): string {
  const random = createRandom(1000 + pane);
  const lines = Array.from({ length: rows }, (_, row) => {
    const spot = Math.floor(SPOTS * random());
    const away = jumped && spot % 2 === 0;
    const east = -100 + 25 * spot + (away ? 12 : 0) + 0.5 * random();
    const north = (away ? -30 : 30) + 0.5 * random();
    const time = new Date(BEGIN + (pane + row / rows) * PANE_MS).toISOString();
    return `${time},d,0,0,9.8,${east.toFixed(5)},${north.toFixed(5)},0`;
  });
  return asFile(lines);
}

class Live {
  readonly log = new RecordedLog();
  readonly #stage: Stage;
  readonly #models: Model[] = [];
  #pipeline: Pipeline | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  get pipeline(): Pipeline {
    return this.#pipeline as Pipeline;
  }

  get models(): number {
    return this.#models.length;
  }

  get drift(): ModelDrift | undefined {
    return this.#models.at(-1)?.drift;
  }

  isAlarmed(): boolean {
    return this.drift?.alarm === true;
  }

  /** What the configuration says of models, and where they are made from. */
  asked(): Omit<ModelSettings, 'drift'> & ModelPorts {
    const { model, time } = modelSettingsOf(this.#stage.configuration(SETTINGS));
    return {
      broker: this.pipeline.broker,
      topics: this.pipeline.topology.topics,
      partitions: 1,
      clock: systemClock,
      signal: AbortSignal.timeout(PATIENCE_MS),
      model,
      time,
    };
  }

  get options(): DriftOptions | undefined {
    return modelSettingsOf(this.#stage.configuration(SETTINGS)).drift;
  }

  async start(settings: Settings = {}, options: Partial<PipelineOptions> = {}): Promise<void> {
    this.#models.length = 0;
    this.#pipeline = await this.#stage.start(
      { ...SETTINGS, ...settings },
      {
        live: true,
        log: this.log,
        onModel: (model) => {
          this.#models.push(model);
        },
        ...options,
      },
    );
  }

  stop(): Promise<void> {
    return this.#stage.stop(this.pipeline);
  }

  /** Brings the rows of a pane, and waits until the one before it is judged. */
  async bring(pane: number, jumped: boolean, rows = ROWS): Promise<ModelDrift> {
    await this.#stage.write(`${String(pane)}.csv`, paneRows(pane, jumped, rows));
    return pane === 0 ? toldDrift(undefined) : await this.#judged(pane - 1);
  }

  async #judged(pane: number): Promise<ModelDrift> {
    await until(`pane ${String(pane)} is judged`, () => this.drift?.pane === startOf(pane), PATIENCE_MS);
    return this.drift as ModelDrift;
  }
}

/** The changes of the alarm that were published, in their order. */
async function alarms(pipeline: Pipeline): Promise<readonly DriftEvent[]> {
  const events = (await published(pipeline)).flatMap((model) => model.events);
  return events.filter((event) => 'pane' in event);
}

describe('the drift alarm', function () {
  this.timeout(300_000);

  it('is raised when half of the hot spots jump, outlives a restart, and ends when the window has moved on', () =>
    onStage(async (stage) => {
      const live = new Live(stage);
      await live.start();
      let pane = 0;
      for (; pane < 8; pane++) {
        await live.bring(pane, false);
        expect(live.isAlarmed(), `pane ${String(pane)}`).to.equal(false);
      }
      for (; !live.isAlarmed(); pane++) {
        expect(pane, 'no alarm').to.be.below(13);
        await live.bring(pane, true);
      }
      const raised = live.drift as ModelDrift;
      expect(raised.since).to.equal(raised.pane);
      await live.stop();

      await live.start();
      await stage.write('one-more.csv', paneRows(pane - 1, true, 1));
      await until('the first model', () => live.drift !== undefined, PATIENCE_MS);
      expect(live.drift).to.deep.equal(raised);
      for (; live.isAlarmed(); pane++) {
        expect(live.drift?.since).to.equal(raised.since);
        expect(pane, 'the alarm stays').to.be.below(24);
        await live.bring(pane, true);
      }
      const cleared = live.drift as ModelDrift;

      const { since } = raised;
      const events = [
        { type: 'drift-raised', pane: since, ratio: raised.ratio, since },
        { type: 'drift-cleared', pane: cleared.pane, ratio: cleared.ratio, since },
      ];
      expect(await alarms(live.pipeline)).to.deep.equal(events);
      const told = live.log.lines.filter(({ fields }) => 'ratio' in fields);
      expect(told.map(({ fields, level }) => ({ level, ...fields }))).to.deep.equal([
        { level: 'warn', pane: since, ratio: raised.ratio, since },
        { level: 'info', pane: cleared.pane, ratio: cleared.ratio, since },
      ]);

      // Asked for later, the pane gets the same verdict: it is a function of the rows before its end.
      const { model, time, ...ports } = live.asked();
      const asOf = Date.parse(cleared.pane as string) + PANE_MS;
      const again = await modelAt(ports, { model, time: { ...time, asOf }, drift: live.options });
      expect(again.model.drift).to.deep.equal(cleared);
    }));

  it('is never raised while the stream stays as it is', () =>
    onStage(async (stage) => {
      const live = new Live(stage);
      await live.start({ 'topics.partitions': '3' });
      for (let pane = 0; pane < 14; pane++) {
        await live.bring(pane, false);
        expect(live.isAlarmed(), `pane ${String(pane)}`).to.equal(false);
      }
      expect(live.drift?.ratio).to.be.within(0.9, 1.1);
      expect(await alarms(live.pipeline)).to.deep.equal([]);
    }));

  it('says why there is none where a pane has too few rows, and nothing where it is off', () =>
    onStage(async (stage) => {
      const live = new Live(stage);
      await live.start();
      await stage.write('0.csv', paneRows(0, false));
      await until('the first model', () => live.drift !== undefined, PATIENCE_MS);
      expect(live.drift).to.deep.equal({
        pane: null,
        ratio: null,
        alarm: false,
        since: null,
        reason: 'no pane yet',
      });
      expect((await live.bring(1, false)).reason).to.equal('no older rows');
      await live.bring(2, false);
      await live.bring(3, false);
      await live.bring(4, false, 50 * SPOTS - 1);
      expect(await live.bring(5, true)).to.deep.equal({
        pane: startOf(4),
        ratio: null,
        alarm: false,
        since: null,
        reason: 'too few rows',
      });
      await live.stop();
      await live.start({ 'clustering.drift.enabled': 'false' });
      await stage.write('6.csv', paneRows(6, true));
      await until('a model', () => live.models > 0, PATIENCE_MS);
      expect(live.drift).to.equal(undefined);
    }));

  it('of a canonical model is the same however the rows were read', async () => {
    const told: (ModelDrift | undefined)[] = [];
    for (const cuts of [[10], [1, 4, 6, 10]]) {
      await onStage(async (stage) => {
        const live = new Live(stage);
        for (const [index, to] of cuts.entries()) {
          await live.start({}, { live: index % 2 === 1 });
          for (let pane = cuts[index - 1] ?? 0; pane < to; pane++) {
            await stage.write(`${String(pane)}.csv`, paneRows(pane, pane > 7));
          }
          await drain(live.pipeline);
          const { models } = live;
          // Time for many live models: what is published last is the canonical one, until there are more rows.
          await sleep(300);
          expect(live.models, 'models after the canonical one').to.equal(models);
          told[cuts.length] = live.drift;
          await live.stop();
        }
      });
    }
    expect(told[1]).to.deep.include({ pane: startOf(8), alarm: true, since: startOf(8), reason: null });
    expect(told[4]).to.deep.equal(told[1]);
  });
});
