import { type Stage, STAGES } from '../../admin/stages.ts';
import type { ConnectionRegistry } from '../../system/connection-registry.ts';
import { Gate } from '../../system/gate.ts';

type Gated = Exclude<Stage, 'regions'>;

/**
 * Which stages are paused. Each has a gate that its loop passes; what is sent to it waits in its connection.
 * Regions have a connection only: they do nothing by themselves.
 *
 * It belongs to the process: a stage that is restarted while paused stays so, a process that is does not.
 */
export class StageControl {
  readonly #connections: ConnectionRegistry;
  readonly #gates: Readonly<Record<Gated, Gate>> = {
    'file-watcher': new Gate(),
    publisher: new Gate(),
    partitions: new Gate(),
    'centroid-aggregator': new Gate(),
    reporter: new Gate(),
  };
  #regionsPaused = false;

  constructor(connections: ConnectionRegistry) {
    this.#connections = connections;
  }

  gate(stage: Gated): Gate {
    return this.#gates[stage];
  }

  isPaused(stage: Stage): boolean {
    return stage === 'regions' ? this.#regionsPaused : this.#gates[stage].paused;
  }

  paused(): readonly Stage[] {
    return STAGES.filter((stage) => this.isPaused(stage));
  }

  pause(stage: Stage): void {
    this.#connections.pause(stage);
    if (stage === 'regions') {
      this.#regionsPaused = true;
    } else {
      this.#gates[stage].pause();
    }
  }

  resume(stage: Stage): void {
    if (stage === 'regions') {
      this.#regionsPaused = false;
    } else {
      this.#gates[stage].resume();
    }
    this.#connections.resume(stage);
  }

  /**
   * Lets one unit of work through although the stage is paused: of what waits in each of its connections
   * the first, and of its own loop one turn. Resolves to how many those were, when they have ended.
   */
  async runOnce(stage: Stage): Promise<number> {
    const delivered = this.#connections.to(stage).filter((connection) => connection.step()).length;
    if (stage === 'regions') {
      return delivered;
    }
    await this.#gates[stage].runOnce();
    return 1;
  }
}
