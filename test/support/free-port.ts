import { createServer } from 'node:net';

/**
 * A port that is free now, and that no outgoing connection takes while nobody listens on it: below the range from
 * which systems give out ports.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => {
        resolve(false);
      });
      server.listen(port, () => {
        server.close(() => {
          resolve(true);
        });
      });
    });
    if (free) {
      return port;
    }
  }
}
