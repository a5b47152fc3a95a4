import type { StockPolicy } from '../../base/domain/stock-policy';
import type { SkuImage } from './position';

export const crossingKinds = ['reorder-point-reached', 'stock-out', 'back-in-stock'] as const;

/** What a version of a position can be, besides a version. */
export type Crossing = (typeof crossingKinds)[number];

/** On which side of its marks a position is. */
export interface Levels {
  /** At or below the reorder point since it was reached, until it is armed again above it. */
  readonly isLow: boolean;
  /** Nothing is available. Undefined: it was never known. */
  readonly isOut: boolean | undefined;
}

export const unknownLevels: Levels = { isLow: false, isOut: undefined };

/**
 * The levels after a change. A position that is first known below its reorder point has reached it; one that is first known
 * without stock was never in stock, so it did not run out. What is not on sale is not ordered again: its reorder level
 * stays as it was.
 */
export function levelsAfter(
  before: Levels,
  available: number | null,
  sku: SkuImage | undefined,
  { rearmShare }: StockPolicy,
): Levels {
  if (available === null) return before;
  const isOut = available <= 0;
  if (sku === undefined || sku.deleted || sku.status !== 'active' || sku.reorderPoint === null)
    return { ...before, isOut };
  if (!before.isLow) return { isLow: available <= sku.reorderPoint, isOut };
  return { isLow: available < rearmAt(sku.reorderPoint, rearmShare), isOut };
}

/** From so many units on, a position that reached its reorder point is armed again. */
export function rearmAt(reorderPoint: number, rearmShare: number): number {
  return reorderPoint + Math.max(1, Math.ceil(Math.round(reorderPoint * rearmShare * 1e6) / 1e6));
}

/** What lies between two levels: each at most once. */
export function crossingsOf(before: Levels, after: Levels): Crossing[] {
  return [
    ...(!before.isLow && after.isLow ? (['reorder-point-reached'] as const) : []),
    ...(before.isOut === false && after.isOut === true ? (['stock-out'] as const) : []),
    ...(before.isOut === true && after.isOut === false ? (['back-in-stock'] as const) : []),
  ];
}
