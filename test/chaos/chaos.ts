/** What a run of the chaos is given, and what it finds. */
import type { TopicSettings } from '../../src/actors/topics.ts';
import type { KafkaContainer } from '../support/kafka-container.ts';
import type { Blow } from './plan.ts';
import type { Lines } from './truth.ts';

export interface Chaos {
  readonly root: string;
  readonly folder: string;
  readonly brokers: readonly string[];
  /** Killed and started again in the middle, where there is one. */
  readonly toKill: KafkaContainer | undefined;
  readonly topics: TopicSettings;
  readonly transactionBytes: string;
  readonly plan: readonly Blow[];
  /** What is not finished by then fails. */
  readonly withinMs: number;
  readonly truth: Lines;
  readonly files: number;
  /** How many of them lie in the folder at the same time. */
  readonly readyFiles: number;
  readonly say: (line: string) => void;
  /** Ends the run where it is, and its replicas with it. */
  readonly signal: AbortSignal;
}

export interface Kill {
  readonly blow: Blow;
  /** Rows read before it, and rows counted at some time after it. */
  readonly readBefore: number;
  readonly countedAfter: number;
}

export interface Verdict {
  readonly problems: readonly string[];
  readonly kills: readonly Kill[];
  readonly stops: number;
}
