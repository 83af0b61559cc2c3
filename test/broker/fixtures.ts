import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type EmbeddedBroker,
  type EmbeddedBrokerOptions,
  openEmbeddedBroker,
} from '../../src/broker/embedded/broker.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silentLogger } from '../../src/system/logger.ts';

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'geoflock-store-'));
}

export async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

export function openAt(
  directory: string,
  overrides: Partial<EmbeddedBrokerOptions> = {},
): Promise<EmbeddedBroker> {
  return openEmbeddedBroker({
    directory,
    mapBytes: 64 * 1024 * 1024,
    log: silentLogger,
    clock: systemClock,
    ...overrides,
  });
}
