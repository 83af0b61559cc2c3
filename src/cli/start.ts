import { BrokerError, StoreLockedError, StoreUnusableError } from '../broker/errors.ts';
import type { Configuration } from '../config/schema.ts';
import { type Pipeline, type PipelineOptions, startPipeline } from '../pipeline.ts';
import type { Output } from './usage.ts';

/** Starts the pipeline. Undefined when it could not start, which is told, or when `signal` aborted first. */
export async function startOrSay(
  configuration: Configuration,
  options: PipelineOptions,
  output: Output,
  signal: AbortSignal,
): Promise<Pipeline | undefined> {
  const starting = startPipeline(configuration, { ...options, signal });
  try {
    const started = await Promise.race([starting, aborted(signal)]);
    if (started === undefined) {
      // Whoever stops the process does not wait for a broker that may never come.
      starting.then(
        (late) => late.stop(),
        () => undefined,
      );
    }
    return started;
  } catch (error) {
    if (error instanceof BrokerError) {
      output.err(`geoflock: ${error.message}${storeRemedy(error)}\n`);
      return undefined;
    }
    throw error;
  }
}

function storeRemedy(error: BrokerError): string {
  const elsewhere = error instanceof StoreLockedError || error instanceof StoreUnusableError;
  return elsewhere ? ' (choose another with --state DIR)' : '';
}

export function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const done = (): void => {
      resolve(undefined);
    };
    if (signal.aborted) {
      done();
    } else {
      signal.addEventListener('abort', done, { once: true });
    }
  });
}
