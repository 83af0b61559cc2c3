import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Totals } from '../../src/actors/totals.ts';
import type { Chaos, Kill, Verdict } from './chaos.ts';
import { configure } from './configuration.ts';
import { judge, LINES_WITHIN_MS } from './judge.ts';
import { CLOSED_WITHIN_MS, Observer, OPENED_WITHIN_MS, READ_WITHIN_MS } from './observer.ts';
import { type Blow, describeBlow } from './plan.ts';
import { type Ended, Replica, type ReplicaOptions } from './replica.ts';

const SESSION_MS = 6_000;
/** Past the session, so that the others have taken over; a transaction left open outlives it. */
const STOP_MS = 8_500;
/** What a stopped replica may do after it was woken up: by the end whoever took over is at work for certain. */
const ZOMBIE_MS = 10_000;
const BROKER_AWAY_MS = 3_000;
/** Longer than a session: by then whoever is left owns what the dead one did. */
const TOP_UP_MS = 9_000;
/** From one stop to the next, so that there is somebody to take over. */
const BETWEEN_STOPS_MS = 7_000;
const SHUTDOWN_MS = 40_000;
/** Long enough for a run that reads the whole topic, on a busy machine. */
const ONCE_MS = 120_000;
/** Exit code of an orderly end on SIGTERM. */
const ON_SIGTERM = 0;

/** How long a run takes at most, because each of its steps has its own limit. */
export function longestRunMs(withinMs: number): number {
  const seen = OPENED_WITHIN_MS + withinMs + 2 * READ_WITHIN_MS + SHUTDOWN_MS;
  const judged = 2 * ONCE_MS + LINES_WITHIN_MS + OPENED_WITHIN_MS + 2 * READ_WITHIN_MS;
  return seen + judged + 2 * CLOSED_WITHIN_MS;
}

/** Expects `staged` in the folder: the files, which it moves to `input` one by one. */
export async function runChaos(chaos: Chaos): Promise<Verdict> {
  return await new ChaosRun(chaos).run();
}

class ChaosRun {
  readonly #chaos: Chaos;
  readonly #problems: string[] = [];
  readonly #kills: Promise<Kill>[] = [];
  readonly #queue: Blow[];
  readonly #staged: string[];
  readonly #began = performance.now();
  readonly #running = new Set<Replica>();
  #lives = 0;
  #struck = 0;
  /** One at a time is stopped. */
  #stopping: Promise<void> = Promise.resolve();
  #stops = 0;
  #over = false;
  /** It failed, or cannot be seen any more: there is nothing left to judge. */
  #decided = false;
  #observer: Observer | undefined;

  constructor(chaos: Chaos) {
    this.#chaos = chaos;
    chaos.signal.addEventListener('abort', () => {
      this.#end();
    });
    this.#queue = [...chaos.plan];
    this.#staged = readdirSync(join(chaos.folder, 'staged')).sort();
  }

  async run(): Promise<Verdict> {
    const { brokers, folder, signal, topics, transactionBytes } = this.#chaos;
    for (const [name, group] of [
      ['config', topics.group],
      ['config-second', 'second'],
    ] as const) {
      configure(join(folder, name), { ...topics, group }, transactionBytes, SESSION_MS);
    }
    mkdirSync(join(folder, 'input'));
    mkdirSync(join(folder, 'empty'));
    try {
      const slots = Promise.all([1, 2].map((slot) => this.#slot(slot)));
      // They may fail before anybody waits for them.
      slots.catch(() => undefined);
      const observer = await Observer.open(brokers, topics);
      this.#observer = observer;
      await Promise.all([slots, this.#feed(), this.#watch(observer), this.#brokerKill()]);
      const kills = await Promise.all(this.#kills);
      this.#tellKills(kills);
      signal.throwIfAborted();
      if (!this.#late && !this.#decided) {
        await this.#judge(observer);
      }
      return { problems: this.#problems, kills, stops: this.#stops };
    } finally {
      this.#end();
      await this.#observer?.close().catch((error: unknown) => {
        this.#say(String(error));
      });
    }
  }

  /** Leaves no replica behind, stopped ones included. */
  #end(): void {
    this.#over = true;
    for (const replica of this.#running) {
      replica.send('SIGKILL');
    }
  }

  get #late(): boolean {
    return performance.now() - this.#began > this.#chaos.withinMs;
  }

  #say(what: string): void {
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(1).padStart(6);
    const { counted, read } = this.#observer?.last?.rows ?? { read: 0, counted: 0 };
    this.#chaos.say(
      `${seconds} s  ${String(read).padStart(7)} read ${String(counted).padStart(7)} counted  ${what}`,
    );
  }

  #start(options: Partial<ReplicaOptions>): Replica {
    const { brokers, folder, root, signal } = this.#chaos;
    signal.throwIfAborted();
    this.#lives++;
    const replica = new Replica({
      root,
      folder,
      input: 'input',
      config: 'config',
      report: 'report',
      life: this.#lives,
      brokers,
      ...options,
    });
    this.#running.add(replica);
    void replica.ended.then(() => this.#running.delete(replica));
    return replica;
  }

  /** One of the two replicas, life after life. */
  async #slot(slot: number): Promise<void> {
    while (!this.#over) {
      const blow = this.#queue.shift();
      if (blow === undefined && !(await this.#allStruck())) {
        return;
      }
      const fault = blow !== undefined && 'pass' in blow ? `${blow.at}:${String(blow.pass)}` : undefined;
      const replica = this.#start({ report: `report-${String(slot)}`, fault });
      if (blow !== undefined && !('pass' in blow)) {
        void replica.working.then(() => this.#strike(replica, blow));
      }
      const ended = await Promise.race([replica.ended, this.#untilOver()]);
      if (ended === undefined) {
        const last = await replica.finish(SHUTDOWN_MS);
        if (last.code !== ON_SIGTERM) {
          this.#problem(`replica ${String(slot)} did not end well`, last);
        }
        return;
      }
      if (ended.signal !== 'SIGKILL' || blow === undefined) {
        this.#problem(`replica ${String(slot)} ended by itself`, ended);
        this.#over = true;
        return;
      }
      this.#struck++;
      this.#say(`replica ${String(slot)} killed: ${describeBlow(blow)}`);
      this.#kills.push(this.#record(blow));
    }
  }

  async #strike(replica: Replica, blow: Blow & { readonly afterMs: number }): Promise<void> {
    await sleep(blow.afterMs);
    if (blow.at === 'stop') {
      const stopped = this.#stopping.then(() => this.#stop(replica));
      this.#stopping = stopped.then(() => sleep(BETWEEN_STOPS_MS));
      await stopped;
    }
    replica.send('SIGKILL');
  }

  async #stop(replica: Replica): Promise<void> {
    replica.send('SIGSTOP');
    this.#say(`stopped for ${String(STOP_MS)} ms, the session is ${String(SESSION_MS)} ms`);
    await sleep(STOP_MS);
    replica.send('SIGCONT');
    this.#stops++;
    this.#say('goes on');
    await sleep(ZOMBIE_MS);
  }

  /**
   * A replica without a blow of its own waits, so that the last armed one owns everything: its fault point
   * must not depend on whose files are left. @returns false when the run is over before.
   */
  async #allStruck(): Promise<boolean> {
    while (!this.#over && this.#struck < this.#chaos.plan.length) {
      await sleep(100);
    }
    return !this.#over;
  }

  async #record(blow: Blow): Promise<Kill> {
    const readBefore = this.#observer?.last?.rows.read ?? 0;
    const after = this.#observer === undefined ? undefined : await this.#read(this.#observer);
    return { blow, readBefore, countedAfter: after?.rows.counted ?? 0 };
  }

  /** Undefined when the reading fails or does not come back, which ends the run. */
  async #read(observer: Observer): Promise<Totals | undefined> {
    try {
      return await observer.read();
    } catch (error) {
      this.#decide(String(error));
      return undefined;
    }
  }

  async #untilOver(): Promise<undefined> {
    while (!this.#over) {
      await sleep(100);
    }
  }

  #decide(problem: string): void {
    if (!this.#decided) {
      this.#decided = true;
      this.#over = true;
      this.#problems.push(problem);
      this.#say(problem);
    }
  }

  /** Puts files into the folder as the blows fall. */
  async #feed(): Promise<void> {
    const { files, folder, plan, readyFiles } = this.#chaos;
    let topUps = 0;
    let emptySince = performance.now();
    while (!this.#over && this.#staged.length > 0) {
      const lying = readdirSync(join(folder, 'input')).length;
      const now = performance.now();
      emptySince = lying === 0 ? emptySince : now;
      if (now - emptySince > TOP_UP_MS) {
        // The one that is to die owns none of the files so far.
        topUps++;
        emptySince = now;
      }
      const share = plan.length === 0 ? 1 : this.#struck / plan.length;
      const allowed = readyFiles + topUps + Math.floor(share * (files - readyFiles));
      const given = files - this.#staged.length;
      const name = this.#staged[0];
      if (name !== undefined && lying < readyFiles && given < allowed) {
        this.#staged.shift();
        renameSync(join(folder, 'staged', name), join(folder, 'input', name));
        continue;
      }
      await sleep(100);
    }
  }

  /** Reads on and on how far the group is, until all is counted and every file gone. */
  async #watch(observer: Observer): Promise<void> {
    let before = '';
    while (!this.#over) {
      const totals = await this.#read(observer);
      if (totals === undefined) {
        return;
      }
      const { rows } = totals;
      // What is counted is read before: with any file, whatever is killed, and at every moment.
      if (rows.counted + rows.rejected > rows.read) {
        this.#decide(
          `rows counted: ${String(rows.counted)}, and ${String(rows.rejected)} rejected, of ${String(rows.read)}`,
        );
        return;
      }
      const now = JSON.stringify(rows);
      const idle = readdirSync(join(this.#chaos.folder, 'input')).length === 0 && this.#staged.length === 0;
      const settled = now === before && rows.counted + rows.rejected >= rows.read;
      if (idle && settled && this.#queue.length === 0 && this.#struck === this.#chaos.plan.length) {
        this.#say('all is counted');
        break;
      }
      if (this.#late) {
        const left = this.#queue.length + this.#chaos.plan.length - this.#struck;
        this.#problems.push(`not finished in time: ${now}, ${String(left)} kills to come`);
        break;
      }
      before = now;
      await sleep(idle ? 2_000 : 300);
    }
    this.#over = true;
  }

  async #brokerKill(): Promise<void> {
    const { plan, toKill } = this.#chaos;
    while (toKill !== undefined && !this.#over) {
      if (this.#struck >= plan.length / 2) {
        this.#say('the broker is killed');
        await toKill.kill();
        await sleep(BROKER_AWAY_MS);
        await toKill.startAgain();
        this.#say('the broker is back');
        return;
      }
      await sleep(100);
    }
  }

  async #judge(observer: Observer): Promise<void> {
    const { brokers, files, folder, topics, truth } = this.#chaos;
    const { compared, problems } = await judge({
      brokers,
      files,
      folder,
      topics,
      truth,
      observer,
      runOnce: (options) => this.#once(options),
    });
    this.#problems.push(...problems);
    this.#say(compared);
  }

  /** @returns its standard output. */
  async #once(options: Partial<ReplicaOptions>): Promise<string> {
    const replica = this.#start({ ...options, flags: ['--once', '--json'] });
    const timer = setTimeout(() => {
      replica.send('SIGKILL');
    }, ONCE_MS);
    const ended = await replica.ended.finally(() => {
      clearTimeout(timer);
    });
    if (ended.code !== 0) {
      this.#problem('the run --once', ended);
    }
    return ended.stdout;
  }

  #problem(what: string, { code, signal, tail }: Ended): void {
    const problem = `${what}: exit ${String(code)} ${String(signal)}: ${tail}`;
    this.#problems.push(problem);
    this.#chaos.say(problem);
  }

  #tellKills(kills: readonly Kill[]): void {
    for (const { blow, countedAfter, readBefore } of kills) {
      this.#chaos.say(
        `${describeBlow(blow).padEnd(34)} ${String(readBefore).padStart(7)} read before, ` +
          `${String(countedAfter).padStart(7)} counted after`,
      );
    }
  }
}
