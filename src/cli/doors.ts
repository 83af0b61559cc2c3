import type { Configuration } from '../config/schema.ts';
import { type HttpDoor, HttpDoorError, startHttpDoor } from '../doors/http/start.ts';
import type { MetricsPort } from '../doors/http/ports.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Logger } from '../system/logger.ts';

/**
 * Opens the HTTP door of a running pipeline, where the configuration wants one.
 * @param unlessTaken a port that is taken is told of, and no reason not to run.
 * @throws HttpDoorError, ConfigurationError
 */
export async function openHttpDoor(
  pipeline: Pipeline,
  configuration: Configuration,
  log: Logger,
  { unlessTaken = false }: { readonly unlessTaken?: boolean } = {},
): Promise<HttpDoor | undefined> {
  if (!configuration.admin.enabled) {
    return undefined;
  }
  const { commands, health, replica } = pipeline;
  try {
    const metrics = metricsPort(pipeline);
    const door = await startHttpDoor({ configuration, commands, health, metrics, replica, log });
    log.info({ url: door.url, replica }, 'commands, health and metrics are served over HTTP');
    return door;
  } catch (error) {
    if (unlessTaken && error instanceof HttpDoorError && error.code === 'EADDRINUSE') {
      log.warn({ problem: error.message }, 'no HTTP: the port is taken');
      return undefined;
    }
    throw error;
  }
}

/** The metrics of a pipeline as the HTTP door tells them. */
export function metricsPort({ metrics }: Pick<Pipeline, 'metrics'>): MetricsPort {
  return {
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.prometheus() }),
  };
}
