/**
 * One process owns a store. The lock is a listening local socket named after the directory, which the
 * operating system takes back however the process ends, so that nothing stale can block a start. Who
 * connects to it is told the owner's process id.
 *
 * On Linux the socket is in the abstract namespace (nothing on disk), on Windows a named pipe; elsewhere
 * it is a file in the folder for temporary files, and one that nobody answers on is replaced.
 * An abstract socket is seen within one network namespace only; the commit sequence in the store
 * catches two containers that share a volume.
 */
import { createHash } from 'node:crypto';
import { statSync, unlinkSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StoreLockedError } from '../errors.ts';

export interface StoreLock {
  release(): Promise<void>;
}

/** A busy machine too. */
const ANSWER_WITHIN_MS = 5_000;
const ABSTRACT_SOCKETS = process.platform === 'linux' || process.platform === 'android';

/**
 * @throws StoreLockedError naming the directory and, when it answers, the owner.
 */
export async function lockStore(directory: string): Promise<StoreLock> {
  const address = addressOf(directory);
  for (let attempt = 0; ; attempt++) {
    const server = await listen(address);
    if (server !== undefined) {
      return { release: () => close(server) };
    }
    const owner = await askOwner(address);
    if (owner === undefined && attempt < 3) {
      removeStaleFile(address);
      continue;
    }
    throw new StoreLockedError(
      `the store in ${directory} is in use by ${owner === undefined ? 'another process' : `process ${owner}`}: ` +
        'stop it, or give this one another directory',
    );
  }
}

/** Device and inode, so that two paths of one directory are one lock. */
function addressOf(directory: string): string {
  const { dev, ino } = statSync(directory, { bigint: true });
  const name = `geoflock-store-${createHash('sha256')
    .update(`${String(dev)}:${String(ino)}`)
    .digest('hex')
    .slice(0, 24)}`;
  if (ABSTRACT_SOCKETS) {
    return `\0${name}`;
  }
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(String(process.pid));
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') {
        resolve(undefined);
      } else {
        reject(error);
      }
    });
    server.listen({ path: address, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

function askOwner(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = createConnection(address);
    socket.setTimeout(ANSWER_WITHIN_MS, () => {
      // Somebody holds the address and does not answer: a stopped or very busy process.
      socket.destroy();
      resolve('(not answering)');
    });
    socket.on('data', (bytes: Buffer) => {
      answer += bytes.toString('utf8');
    });
    socket.on('error', () => {
      resolve(undefined);
    });
    socket.on('close', () => {
      resolve(answer === '' ? undefined : answer);
    });
  });
}

function removeStaleFile(address: string): void {
  if (ABSTRACT_SOCKETS || process.platform === 'win32') {
    return;
  }
  try {
    unlinkSync(address);
  } catch {
    // Already gone: the next attempt to listen tells.
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
