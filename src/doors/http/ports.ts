/** What the HTTP door asks of others, beside the commands. */

/** How the process is, or a part of it, and why. */
export interface HealthAnswer {
  /** `failing` answers 503, the others 200. */
  readonly status: 'ok' | 'degraded' | 'failing';
  /** One sentence each; none when all is well. */
  readonly reasons: readonly string[];
}

/** Answers at once, from what is known. */
export interface HealthPort {
  /** Whether the process should be left running: its event loop turns, nothing is stuck for good. */
  livez(): HealthAnswer;
  /** Whether it has joined and restored, and makes progress or has nothing to do. */
  readyz(): HealthAnswer;
  /** All of it in short. */
  healthz(): HealthAnswer;
}

export interface MetricsPort {
  /** The metrics in the form that the content type names. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
