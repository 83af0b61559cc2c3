/** What the HTTP door asks of others, beside the commands. */

export interface MetricsPort {
  /** The metrics in the form that the content type names. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
