import { expect } from 'chai';
import { type ActorContext, type ActorDefinition, type Address, addressOf } from '../../src/system/actor.ts';
import { type ActorInfo, type ActorSystem, createActorSystem } from '../../src/system/actor-system.ts';
import { silentLogger } from '../../src/system/logger.ts';
import type { ChildPolicy } from '../../src/system/supervision.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

/** What the scripted actors of these tests can be told to do. */
export type Order =
  | { readonly do: 'note'; readonly text: string }
  | { readonly do: 'throw' }
  | { readonly do: 'reject' }
  /** Awaits `gate` (until aborted too, if `obey`), then notes `text`. */
  | { readonly do: 'await'; readonly gate: Promise<void>; readonly text: string }
  | { readonly do: 'run'; readonly run: (context: ActorContext<Order>) => void | Promise<void> };

export interface World {
  readonly clock: SimulatedClock;
  readonly system: ActorSystem;
  /** Everything that happened, as `path~incarnation event`. */
  readonly events: string[];
  /** What the observer was told, as `restarted path`. */
  readonly observed: string[];
  info(path: string): ActorInfo;
}

export function createWorld(limits: { mailboxLimit?: number; stashLimit?: number } = {}): World {
  const clock = new SimulatedClock();
  const observed: string[] = [];
  const system = createActorSystem({
    name: 'test',
    clock,
    random: () => 0.5,
    log: silentLogger,
    stopTimeoutMs: 5_000,
    visibleDeadLetters: 3,
    observer: {
      restarted: (path) => observed.push(`restarted ${path}`),
      escalated: (path) => observed.push(`escalated ${path}`),
    },
    ...limits,
  });
  return {
    clock,
    system,
    events: [],
    observed,
    info: (path) => {
      const info = system.inspect().find((one) => one.path === path);
      return info ?? expect.fail(`no actor ${path}`);
    },
  };
}

export interface Script {
  readonly children?: readonly ActorDefinition<Order>[];
  readonly policy?: ChildPolicy;
  /** Called in setup, after the children were spawned. */
  readonly setup?: (context: ActorContext<Order>) => void | Promise<void>;
  readonly stopped?: () => void | Promise<void>;
}

/** An actor that does as it is told and writes down what happens to it. */
export function scripted(world: World, name: string, script: Script = {}): ActorDefinition<Order> {
  const definition: ActorDefinition<Order> = {
    name,
    setup: async (context) => {
      const note = (event: string): void => {
        world.events.push(`${name}~${String(context.incarnation)} ${event}`);
      };
      note('setup');
      for (const child of script.children ?? []) {
        context.spawn(child);
      }
      await script.setup?.(context);
      return {
        receive: async (order) => {
          switch (order.do) {
            case 'note':
              note(order.text);
              return;
            case 'throw':
              note('throws');
              throw new Error(`${name} threw`);
            case 'reject':
              await Promise.reject(new Error(`${name} rejected`));
              return;
            case 'await':
              note(`${order.text} begins`);
              await order.gate;
              note(`${order.text} ends`);
              return;
            case 'run':
              await order.run(context);
          }
        },
        stopped: async () => {
          note('stopped');
          await script.stopped?.();
        },
      };
    },
  };
  return script.policy === undefined ? definition : { ...definition, children: script.policy };
}

export function restarting(
  strategy: 'one-for-one' | 'rest-for-one' | 'all-for-one',
  restarts = 5,
): ChildPolicy {
  return {
    strategy,
    backoff: { initialMs: 100, maxMs: 10_000, jitter: 0 },
    intensity: { restarts, windowMs: 60_000 },
  };
}

/** The address of a place of which the test knows the path. */
export function at(path: string): Address<Order> {
  return addressOf<Order>(path);
}

export function gate(): { readonly promise: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
