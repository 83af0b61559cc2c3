/**
 * Credit accounting of one connection, as pure functions. Credit counts rows and bytes; what is
 * reserved and not yet released is *held*, and never above a threshold.
 */

/** What an item occupies. Both are non-negative integers. */
export interface Cost {
  readonly rows: number;
  readonly bytes: number;
}

export const NO_COST: Cost = { rows: 0, bytes: 0 };

/** A connection's account at one moment. */
export interface Account {
  readonly thresholds: Cost;
  readonly held: Cost;
  /** Bytes of the global budget set aside for this connection alone, held or not. */
  readonly guaranteedBytes: number;
}

/** @throws RangeError when rows or bytes are not non-negative safe integers. */
export function checkCost(what: string, cost: Cost): void {
  if (!isCount(cost.rows) || !isCount(cost.bytes)) {
    throw new RangeError(`${what}: ${formatCost(cost)} is not a cost (non-negative integers)`);
  }
}

export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

export function formatCost(cost: Cost): string {
  return `${String(cost.rows)} rows / ${String(cost.bytes)} bytes`;
}

export function addCost(a: Cost, b: Cost): Cost {
  return { rows: a.rows + b.rows, bytes: a.bytes + b.bytes };
}

export function subtractCost(a: Cost, b: Cost): Cost {
  return { rows: a.rows - b.rows, bytes: a.bytes - b.bytes };
}

export function isWithin(cost: Cost, limit: Cost): boolean {
  return cost.rows <= limit.rows && cost.bytes <= limit.bytes;
}

/**
 * Bytes of the global budget that a connection occupies: what it holds, but never less than what is
 * set aside for it.
 */
export function budgetShare(heldBytes: number, guaranteedBytes: number): number {
  return Math.max(heldBytes, guaranteedBytes);
}

/** Bytes the connection may still hold, given `budgetFree` bytes nobody occupies. */
function freeBytes(account: Account, budgetFree: number): number {
  const { thresholds, held, guaranteedBytes } = account;
  const ownReserve = budgetShare(held.bytes, guaranteedBytes) - held.bytes;
  return Math.min(thresholds.bytes - held.bytes, ownReserve + budgetFree);
}

/** The whole cost if it fits now, else `undefined`. */
export function grantWhole(account: Account, cost: Cost, budgetFree: number): Cost | undefined {
  const rowsFit = cost.rows <= account.thresholds.rows - account.held.rows;
  return rowsFit && cost.bytes <= freeBytes(account, budgetFree) ? cost : undefined;
}

/**
 * The cost of as many rows as fit now, 1 to `wanted`, each of `bytesPerRow` bytes; `undefined` when
 * not one does.
 */
export function grantRows(
  account: Account,
  wanted: number,
  bytesPerRow: number,
  budgetFree: number,
): Cost | undefined {
  const byRows = account.thresholds.rows - account.held.rows;
  const byBytes = bytesPerRow === 0 ? wanted : Math.floor(freeBytes(account, budgetFree) / bytesPerRow);
  const rows = Math.min(wanted, byRows, byBytes);
  return rows >= 1 ? { rows, bytes: rows * bytesPerRow } : undefined;
}
