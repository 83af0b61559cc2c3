import { COMMANDS } from '../../admin/commands.ts';
import { CommandError, type Outcome } from '../../admin/outcome.ts';
import { ALL, ANY, type CommandRequest } from '../../admin/request.ts';
import type { ActorContext, ActorDefinition } from '../../system/actor.ts';
import { pause } from '../commit.ts';
import { readRunTimeSettings } from '../settings/run-time-settings.ts';
import { atMost, unlessAborted } from '../unless-aborted.ts';
import type { Call, CommandPorts } from './command-ports.ts';
import { ControlLog } from './control-log.ts';
import { ControlReader } from './control-reader.ts';
import { DrainsInTurn } from './drains.ts';
import { carryOut, changeShared, commandHandlers, type Handlers, isShared } from './execute.ts';
import { failureOf } from './failure.ts';
import { forward } from './forward.ts';
import type { AdminMessage } from './messages.ts';

/** Between two looks at what was set, by whichever replica; and between two writes of what was answered. */
const LOOK_EVERY_MS = 1_000;
/** An end does not wait longer for a broker that is away. */
const LAST_WRITE_MS = 2_000;

/** Every command, whichever door it came through. Commands run beside each other: none waits in line. */
export function adminActor(ports: CommandPorts): ActorDefinition<AdminMessage> {
  return {
    name: 'admin',
    setup: (context) => {
      const admin = new Admin(ports, context);
      context.background((signal) => admin.follow(signal));
      context.background((signal) => admin.read(signal));
      return {
        receive: (message) => {
          switch (message.type) {
            case 'command':
              context.background(async () => {
                message.reply(await admin.submit(message.request));
              });
              return;
            case 'look':
              context.background(async () => {
                message.reply(await admin.look());
              });
              return;
            case 'drain':
              context.background(async () => {
                message.reply(await admin.drains.run(message.sweep));
              });
              return;
            case 'end':
              context.background(async () => {
                message.reply(await admin.drains.end(message.deadlineMs));
              });
              return;
          }
        },
        stopped: () => admin.close(),
      };
    },
  };
}

class Admin {
  readonly drains: DrainsInTurn;
  readonly #ports: CommandPorts;
  readonly #context: ActorContext<AdminMessage>;
  readonly #handlers: Handlers;
  readonly #log: ControlLog;
  /** One look for all who watch: a broker that is away would let them pile up. */
  #looking: Promise<Outcome> | undefined;

  constructor(ports: CommandPorts, context: ActorContext<AdminMessage>) {
    this.#ports = ports;
    this.#context = context;
    this.#handlers = commandHandlers(ports);
    this.drains = new DrainsInTurn(ports, context);
    const { broker, replica, topics } = ports;
    const { clock, random } = context;
    this.#log = new ControlLog({ broker, replica, topics, clock, random });
  }

  /** Goes by what is set, also by other replicas, and writes the audit of what was only looked at. */
  async follow(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    while (!signal.aborted) {
      await unlessAborted(this.#adoptSettings(), signal);
      await atMost(clock, LAST_WRITE_MS, this.#flush());
      await pause(clock, LOOK_EVERY_MS, signal);
    }
  }

  async close(): Promise<void> {
    await atMost(this.#context.clock, LAST_WRITE_MS, this.#flush());
  }

  async #flush(): Promise<void> {
    try {
      await this.#log.flush();
    } catch (error) {
      this.#context.log.warn({ problem: String(error) }, 'what was answered is not in the audit');
    }
  }

  /** Takes the commands of the control topic. */
  async read(signal: AbortSignal): Promise<void> {
    const { broker, replica, topics } = this.#ports;
    const { clock, log, random } = this.#context;
    const reader = new ControlReader({ broker, topics, replica, clock, log, random });
    await reader.run(
      { take: (request) => this.#take(request), refuse: (record) => this.#log.refused(record) },
      signal,
    );
  }

  /** A command that was asked of this replica. Never rejects. */
  async submit(request: CommandRequest): Promise<Outcome> {
    const { expiresAt } = request;
    const now = this.#context.clock.now();
    if (expiresAt <= now) {
      const late = `it expired at ${new Date(expiresAt).toISOString()}, now it is ${new Date(now).toISOString()}`;
      return expired(`${request.command.name}: ${late}; send it again`);
    }
    try {
      return await this.#within(request, (signal) =>
        this.#isForOthers(request)
          ? forward(this.#ports, this.#log, request, signal)
          : unlessAborted(this.#execute(request, signal), signal),
      );
    } catch (error) {
      this.#context.log.warn({ command: request.command.name, problem: String(error) }, 'command failed');
      return failureOf(error);
    }
  }

  /** What `status` answers, without a record. */
  look(): Promise<Outcome> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<Outcome> {
    const { clock, signal } = this.#context;
    const command = { name: 'status', parameters: {} } as const;
    const request = {
      id: 'look',
      target: ANY,
      expiresAt: clock.now(),
      by: 'look',
      door: 'http',
      command,
    } as const;
    const answer = this.#answer(request, { request, context: this.#context, signal, drain: this.drains });
    return await unlessAborted(answer, signal).catch(failureOf);
  }

  /** A command of the control topic, which other replicas read as well. */
  async #take(request: CommandRequest): Promise<void> {
    const { command, id, target } = request;
    // Whoever acts on what is shared does so for all.
    const taken = isShared(this.#handlers, command.name)
      ? !(await this.#log.isDone(id))
      : target !== ANY || (await this.#log.claim(request));
    if (taken) {
      await this.submit(request);
    }
  }

  /** What came over the control topic has reached those it is for. */
  #isForOthers({ command, door, target }: CommandRequest): boolean {
    const forAll = target === ALL && !isShared(this.#handlers, command.name);
    return (
      door !== 'control' && (forAll || (target !== ALL && target !== ANY && target !== this.#ports.replica))
    );
  }

  async #execute(request: CommandRequest, signal: AbortSignal): Promise<Outcome> {
    const { command } = request;
    const call: Call = { request, context: this.#context, signal, drain: this.drains };
    this.#context.log.info(
      { command: command.name, by: request.by, door: request.door, id: request.id },
      'command',
    );
    if (isShared(this.#handlers, command.name)) {
      const outcome = await this.#share(request, call);
      await this.#adoptSettings();
      return outcome;
    }
    if (COMMANDS[command.name].scope === 'query') {
      const outcome = await this.#answer(request, call);
      this.#log.answered(request, outcome);
      if (request.door === 'control') {
        await this.#flush();
      }
      return outcome;
    }
    const before = await this.#log.admit(request, signal);
    if (before !== undefined) {
      return before;
    }
    const outcome = await this.#answer(request, call);
    await this.#log.finished(request, outcome);
    return outcome;
  }

  async #share(request: CommandRequest, call: Call): Promise<Outcome> {
    return await this.#log.share(
      request,
      (transaction) => changeShared(this.#handlers, request.command, call, transaction),
      call.signal,
    );
  }

  async #answer({ command }: CommandRequest, call: Call): Promise<Outcome> {
    try {
      return { status: 'done', result: await carryOut(this.#handlers, command, call) };
    } catch (error) {
      return failureOf(error);
    }
  }

  async #adoptSettings(): Promise<void> {
    const { broker, fileWatcher, settings, topics } = this.#ports;
    const { retries } = settings.set;
    settings.adopt(await readRunTimeSettings(broker, topics.settings));
    const asked = [...settings.set.retries].some(([path, at]) => retries.get(path) !== at);
    if (asked) {
      this.#context.tell(fileWatcher, { type: 'retry' });
    }
  }

  /** Ends `work`'s signal when the command has expired. */
  async #within<T>(
    { command, expiresAt }: CommandRequest,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, signal } = this.#context;
    const expired = new AbortController();
    const cancel = clock.after(expiresAt - clock.now(), () => {
      const told = `${command.name} had not ended when it expired; what was begun may still be done: look at status`;
      expired.abort(new CommandError('timeout', told));
    });
    try {
      return await work(AbortSignal.any([signal, expired.signal]));
    } finally {
      cancel();
    }
  }
}

function expired(message: string): Outcome {
  return { status: 'failed', error: { code: 'expired', message } };
}
