import { randomBytes } from 'node:crypto';

/** A name that no other test and no other run uses. */
export function randomName(): string {
  return `t${randomBytes(6).toString('hex')}`;
}
