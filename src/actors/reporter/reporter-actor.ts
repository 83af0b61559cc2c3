import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReportData } from '../../report/report-data.ts';
import type { ActorContext, ActorDefinition } from '../../system/actor.ts';
import type { Gate } from '../../system/gate.ts';
import type { Schedule, Scheduler } from '../../system/schedule.ts';
import type { PublishedModel } from '../centroid-aggregator/messages.ts';
import { inSlices } from '../in-slices.ts';
import type { ModelPorts } from '../models/model-at.ts';
import { collectReport } from './collect-report.ts';
import { type Keeping, removeOldExports, writeExports } from './export-folder.ts';
import { type Format, REPORT_FORMATS, reportText, textOf } from './formats.ts';
import type { ReporterStats } from '../stats.ts';
import type { ReporterMessage } from './messages.ts';
import { replaceFile } from './replace-file.ts';

export interface ReporterDependencies extends Pick<ModelPorts, 'broker' | 'partitions' | 'topics'> {
  readonly level: number;
  readonly version: string;
  readonly schedule: Scheduler;
  /** Holds what is written by schedule. */
  readonly gate: Gate;
  readonly report: {
    readonly directory: string;
    /** Interval in ms or cron expression; undefined: only when everything is worked off. */
    readonly every: number | string | undefined;
  };
  readonly exports: {
    readonly directory: string;
    /** Undefined: never. */
    readonly every: number | string | undefined;
    readonly formats: readonly Format[];
    readonly keep: Keeping;
  };
  readonly stats: ReporterStats;
}

/** Tells people what the served model says: the report, and copies of it and of the model that are kept. */
export function reporterActor(own: ReporterDependencies): ActorDefinition<ReporterMessage> {
  return {
    name: 'reporter',
    setup: (context) => {
      const reporter = new Reporter(own, context);
      const { exports, report, schedule } = own;
      const schedules: readonly Schedule[] = [
        ...(report.every === undefined
          ? []
          : [schedule.every(report.every, () => reporter.unlessPaused(() => reporter.refresh()))]),
        ...(exports.every === undefined
          ? []
          : [schedule.every(exports.every, () => reporter.unlessPaused(() => reporter.exportCopies()))]),
      ];
      return {
        receive: async (message) => {
          switch (message.type) {
            case 'served':
              reporter.served(message.published);
              return;
            case 'refresh':
              try {
                await reporter.unlessPaused(() => reporter.refresh());
              } catch (error) {
                context.log.error({ err: error }, 'the report was not written');
              }
              return;
            case 'report':
              try {
                await reporter.report(message.published);
                message.reply(undefined);
              } catch (error) {
                message.reply(error ?? new Error('the report was not written'));
              }
              return;
          }
        },
        stopped: async () => {
          for (const each of schedules) {
            each.stop();
          }
          await reporter.idle();
        },
      };
    },
  };
}

class Reporter {
  readonly #own: ReporterDependencies;
  readonly #context: ActorContext<ReporterMessage>;
  #served: PublishedModel | undefined;
  #reported: PublishedModel | undefined;
  /** One after another: they write the same files. */
  #working: Promise<void> = Promise.resolve();

  constructor(own: ReporterDependencies, context: ActorContext<ReporterMessage>) {
    this.#own = own;
    this.#context = context;
  }

  served(published: PublishedModel): void {
    this.#served = published;
  }

  async unlessPaused(work: () => Promise<void>): Promise<void> {
    const turn = this.#own.gate.enter();
    if (turn !== undefined) {
      await work().finally(turn.done);
    }
  }

  /** The report of the served model, unless it is there. */
  async refresh(): Promise<void> {
    const served = this.#served;
    if (served !== undefined && served !== this.#reported) {
      await this.report(served);
    }
  }

  async report(published: PublishedModel): Promise<void> {
    const { directory } = this.#own.report;
    await this.#inTurn('report', async () => {
      const data = await this.#collect(published);
      await mkdir(directory, { recursive: true });
      for (const format of REPORT_FORMATS) {
        const text = await inSlices(reportText(data, format), this.#context);
        await replaceFile(join(directory, `report.${format}`), text);
      }
      this.#reported = published;
    });
  }

  async exportCopies(): Promise<void> {
    const served = this.#served;
    const { log } = this.#context;
    if (served === undefined) {
      log.info({}, 'nothing is exported: there is no model yet');
      return;
    }
    await this.#inTurn('export', async () => {
      const { directory, formats, keep } = this.#own.exports;
      const data = await this.#collect(served);
      const texts = new Map<Format, string>();
      for (const format of formats) {
        const text = await inSlices(textOf(data, format), this.#context);
        if (text !== undefined) {
          texts.set(format, text);
        }
      }
      const name = await writeExports(directory, data.madeAt, texts);
      const removed = await removeOldExports(directory, data.madeAt, keep);
      log.info({ directory, name, formats: [...texts.keys()], removed }, 'exported');
    });
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#working;
  }

  async #inTurn(kind: keyof ReporterStats, work: () => Promise<void>): Promise<void> {
    const { clock } = this.#context;
    const worked = this.#working.then(async () => {
      const begun = clock.monotonic();
      await work();
      const stats = this.#own.stats[kind];
      stats.count++;
      stats.busyMs += clock.monotonic() - begun;
    });
    this.#working = worked.catch(() => undefined);
    await worked;
  }

  #collect({ model }: PublishedModel): Promise<ReportData> {
    const { broker, level, partitions, topics, version } = this.#own;
    const { clock, signal } = this.#context;
    return collectReport({ broker, partitions, topics, clock, signal }, { model, level, version });
  }
}
