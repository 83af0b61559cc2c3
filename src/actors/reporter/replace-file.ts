import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';

/** Whoever reads the file finds it whole: as it was, or as it is now. Its folder must be there. */
export async function replaceFile(path: string, text: string): Promise<void> {
  // Replicas in containers have equal process ids, and may share the folder.
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
