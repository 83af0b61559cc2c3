import type { CommandName, ParametersOf, ResultOf } from '../../admin/commands.ts';
import type { CommandRequest } from '../../admin/request.ts';
import type { Broker, Transaction } from '../../broker/broker.ts';
import type { Configuration } from '../../config/schema.ts';
import type { Health } from '../../health/judge.ts';
import type { ActorContext, Address } from '../../system/actor.ts';
import type { ActorSystem } from '../../system/actor-system.ts';
import type { Bulletin } from '../../system/bulletins.ts';
import type { ConnectionRegistry } from '../../system/connection-registry.ts';
import type { AggregatorMessage, PublishedModel } from '../centroid-aggregator/messages.ts';
import type { FileWatcherMessage } from '../file-watcher/messages.ts';
import type { IngestMessage } from '../ingest/messages.ts';
import type { DiscardRegister } from '../partition/discards.ts';
import type { PartitionsMessage } from '../partitions/messages.ts';
import type { ReporterMessage } from '../reporter/messages.ts';
import type { EffectiveSettings } from '../settings/effective-settings.ts';
import type { PipelineStats } from '../stats.ts';
import type { TopicNames } from '../topics.ts';
import type { AdminMessage } from './messages.ts';
import type { ServedModel } from './served-model.ts';
import type { StageControl } from './stage-control.ts';

/** What commands act on. */
export interface CommandPorts {
  readonly system: Pick<ActorSystem, 'inspect' | 'restart' | 'deadLetters'>;
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
  /** As it was read at the start; what was set since is in `settings`. */
  readonly configuration: Configuration;
  readonly settings: EffectiveSettings;
  readonly connections: ConnectionRegistry;
  readonly stages: StageControl;
  readonly discards: DiscardRegister;
  readonly stats: PipelineStats;
  readonly served: ServedModel;
  readonly ingest: Address<IngestMessage>;
  readonly fileWatcher: Address<FileWatcherMessage>;
  readonly partitionsActor: Address<PartitionsMessage>;
  readonly aggregator: Address<AggregatorMessage>;
  readonly reporter: Address<ReporterMessage>;
  /** Name of this replica, and version of the program. */
  readonly replica: string;
  readonly version: string;
  /** Wall-clock ms. */
  readonly startedAt: number;
  readonly health: Health;
  /** Told when the process is on its way to its end: it is ready for nothing more. */
  readonly ending: () => void;
  /** By path of the actor, the newest first. */
  readonly bulletins: () => ReadonlyMap<string, readonly Bulletin[]>;
  /** Begins an orderly end of the process. */
  readonly shutdown: () => void;
}

/** What a handler is given beside its parameters. */
export interface Call {
  readonly request: CommandRequest;
  readonly context: ActorContext<AdminMessage>;
  /** Aborted when the command has expired, or the actor stops. */
  readonly signal: AbortSignal;
  readonly drain: Drains;
}

export interface Drains {
  /** The process is on its way to its end. */
  readonly ending: boolean;
  /** One is under way. */
  readonly running: boolean;
  /** Counts what is there now; one drain after another. */
  sweep(): Promise<PublishedModel>;
  /** From now on the process is ending. */
  beginToEnd(): void;
}

export type Handler<N extends CommandName> = (
  parameters: ParametersOf<N>,
  call: Call,
) => Promise<ResultOf<N>> | ResultOf<N>;

/** Of a command that acts on what all replicas share: puts what it does into the transaction. */
export type SharedHandler<N extends CommandName> = (
  parameters: ParametersOf<N>,
  call: Call,
  transaction: Transaction,
) => Promise<{ readonly result: ResultOf<N>; readonly after?: () => Promise<void> }>;
