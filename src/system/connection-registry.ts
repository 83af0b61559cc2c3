import type { Connection, Cost, QueuedItem } from './connection.ts';

/** One connection as status shows it. */
export interface ConnectionInfo {
  readonly name: string;
  readonly thresholds: Cost;
  /** Reserved and not yet released. */
  readonly depth: Cost;
  /** Sent and not yet delivered, in order; not empty only while paused. */
  readonly queued: readonly QueuedItem[];
  readonly paused: boolean;
  /** Reservations that had to wait, since the connection was opened. */
  readonly waits: number;
  /** Reservations waiting now. */
  readonly waiting: number;
}

/** What has gone over all connections of a name, one after another. */
export interface ConnectionTraffic {
  readonly name: string;
  readonly sent: number;
  /** Reservations that had to wait. */
  readonly waits: number;
}

/**
 * The open connections of one process, by name, for status and administration. What is set here for a
 * receiver holds for its later connections too: each incarnation of a stage has new ones.
 */
export class ConnectionRegistry {
  readonly #connections = new Map<string, Connection>();
  readonly #paused = new Set<string>();
  readonly #thresholds = new Map<string, Cost>();
  /** Of those that are closed. */
  readonly #former = new Map<string, ConnectionTraffic>();

  /**
   * Lists the connection until it is closed.
   * @throws Error when an open connection of that name is registered.
   */
  register(connection: Connection): Connection {
    if (this.get(connection.name) !== undefined) {
      throw new Error(`connection ${connection.name} is registered and still open`);
    }
    this.#connections.set(connection.name, connection);
    if (this.#paused.has(connection.receiver)) {
      connection.pause();
    }
    const thresholds = this.#thresholds.get(connection.receiver);
    if (thresholds !== undefined) {
      connection.setThresholds(thresholds);
    }
    return connection;
  }

  /** What is sent to this stage from now on waits. */
  pause(receiver: string): void {
    this.#paused.add(receiver);
    for (const connection of this.to(receiver)) {
      connection.pause();
    }
  }

  /** Delivers what waits for this stage, and lets it through again. */
  resume(receiver: string): void {
    this.#paused.delete(receiver);
    for (const connection of this.to(receiver)) {
      connection.resume();
    }
  }

  /** @throws RangeError when a threshold is not a positive integer. */
  setThresholds(receiver: string, thresholds: Cost): void {
    this.#thresholds.set(receiver, thresholds);
    for (const connection of this.to(receiver)) {
      connection.setThresholds(thresholds);
    }
  }

  /** The open connections to one stage. */
  to(receiver: string): readonly Connection[] {
    return [...this.#connections.keys()]
      .map((name) => this.get(name))
      .filter((connection) => connection !== undefined)
      .filter((connection) => connection.receiver === receiver);
  }

  get(name: string): Connection | undefined {
    const connection = this.#connections.get(name);
    if (connection?.closed === true) {
      this.#connections.delete(name);
      this.#former.set(name, this.#sum(connection));
      return undefined;
    }
    return connection;
  }

  /** In the order of registration. */
  list(): readonly ConnectionInfo[] {
    const infos: ConnectionInfo[] = [];
    for (const name of [...this.#connections.keys()]) {
      const connection = this.get(name);
      if (connection !== undefined) {
        infos.push({
          name,
          thresholds: connection.thresholds,
          depth: connection.depth,
          queued: connection.queued(),
          paused: connection.paused,
          waits: connection.waits,
          waiting: connection.waiting,
        });
      }
    }
    return infos;
  }

  /** Since the process began, also of connections that are closed. */
  traffic(): readonly ConnectionTraffic[] {
    const open = this.list().map(({ name }) => name);
    return [...new Set([...this.#former.keys(), ...open])].map((name) => {
      const connection = this.get(name);
      return connection === undefined ? this.#formerOf(name) : this.#sum(connection);
    });
  }

  #formerOf(name: string): ConnectionTraffic {
    return this.#former.get(name) ?? { name, sent: 0, waits: 0 };
  }

  #sum({ name, sent, waits }: Connection): ConnectionTraffic {
    const former = this.#formerOf(name);
    return { name, sent: former.sent + sent, waits: former.waits + waits };
  }
}
