/** The image of this project, built once for all suites that use it, and removed after the last test. */
import { fileURLToPath } from 'node:url';
import type { ContainerRuntimeClient } from 'testcontainers';
import { cannotRun } from '../support/cannot-run.ts';
import { randomName } from '../support/random-name.ts';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** That of `FROM`: what the image adds is what it has more than this one. */
export const BASE = 'node:22-bookworm-slim';
/** Two installations of npm's and a compiler, on a machine that has other things to do. */
export const BUILT_WITHIN_MS = 900_000;

export interface Image {
  readonly name: string;
  readonly client: ContainerRuntimeClient;
}

let built: Promise<Image> | undefined;

after('remove the image', async function () {
  this.timeout(60_000);
  const image = await built?.catch(() => undefined);
  await image?.client.container.dockerode.getImage(image.name).remove({ force: true });
});

/** In a suite: the image, or its tests are skipped. The getter is for hooks and tests. */
export function useImage(): () => Image {
  let image: Image | undefined;
  before('build the image', async function () {
    this.timeout(BUILT_WITHIN_MS);
    let client: ContainerRuntimeClient;
    try {
      const { getContainerRuntimeClient } = await import('testcontainers');
      client = await getContainerRuntimeClient();
    } catch (error) {
      cannotRun(this, `no Docker to build the image with: ${String(error)}`, error);
    }
    built ??= build(client);
    image = await built;
  });
  return () => {
    if (image === undefined) {
      throw new Error('ask for the image in a test or a hook');
    }
    return image;
  };
}

async function build(client: ContainerRuntimeClient): Promise<Image> {
  // Only here, because it takes half a second that most test files need not spend.
  const { GenericContainer } = await import('testcontainers');
  const began = performance.now();
  const name = `localhost/geoflock-${randomName()}:test`;
  try {
    await GenericContainer.fromDockerfile(PROJECT).build(name);
  } catch (error) {
    throw new Error('the image was not built; DEBUG=testcontainers:build shows why', { cause: error });
  }
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(`      the image was built in ${seconds.toFixed(0)} s\n`);
  return { name, client };
}
