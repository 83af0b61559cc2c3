import { readFileSync } from 'node:fs';
import { tokenProblem } from './admin-schema.ts';
import { ConfigurationError } from './errors.ts';
import type { Configuration } from './schema.ts';

/**
 * The token that the HTTP door asks for, from the configuration or its file; null where none is set.
 * @throws ConfigurationError when the file cannot be read, or what it holds is no token.
 */
export function adminToken({ token, tokenFile }: Configuration['admin']): string | null {
  return tokenFile === null ? token : tokenOfFile(tokenFile, 'admin.tokenFile');
}

/**
 * The token in a file, without blanks and line ends around it.
 * @param named the key or flag that names the file
 * @throws ConfigurationError
 */
export function tokenOfFile(file: string, named: string): string {
  let written: string;
  try {
    written = readFileSync(file, 'utf8').trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigurationError([`${named}: "${file}" cannot be read: ${reason}`]);
  }
  const problem = tokenProblem(written);
  if (problem !== undefined) {
    throw new ConfigurationError([`${named}: "${file}" holds no token: ${problem}`]);
  }
  return written;
}
