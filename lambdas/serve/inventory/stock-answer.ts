import { kindOf, type StockPolicy } from '../../base/domain/stock-policy';
import { availabilityOf, type Position } from './position';

/** One position as callers see it. Null: not known. */
export interface StockAnswer {
  readonly sku: string;
  readonly location: string;
  /**
   * `unknown-sku`, `unknown-location`: no row and no sale has spoken of it. `not-stocked`: both are known, and the inventory
   * database has no stock of the one at the other.
   */
  readonly state: 'stocked' | 'not-stocked' | 'unknown-sku' | 'unknown-location';
  readonly onHand: number | null;
  readonly reserved: number | null;
  /** Units sold since the count, as far as the database does not contain them; where there is no count, all that were sold. */
  readonly soldSinceCount: number;
  /** On hand - reserved - sold since the count; below zero where more was sold than there was. */
  readonly available: number | null;
  readonly countedAt: string | null;
  /** Of the SKU: active, paused or discontinued. */
  readonly status: string | null;
  readonly reorderPoint: number | null;
  /** The reorder point was reached, and the position has not been well above it since. */
  readonly low: boolean;
  /** Of the position: triggers name it. 0: nothing was ever known. */
  readonly version: number;
  /** Everything that was sold or changed until then is in the answer; null when that cannot be said of any time. */
  readonly asOf: string | null;
  /** Whole seconds since `asOf`, rounded up; null with it. */
  readonly ageSeconds: number | null;
  /** Older than the policy allows, or of an age that cannot be said. */
  readonly stale: boolean;
}

/** What an answer is made of. Instants are milliseconds; undefined: it cannot be said. */
export interface StockFacts {
  readonly isKnownSku: boolean;
  readonly isKnownLocation: boolean;
  readonly position: Position | undefined;
  /** How far the inventory database's log, and the sales, have come, whichever is behind. */
  readonly watermark: number | undefined;
  /** Since when something of the SKU or of the position is held. */
  readonly heldSince: number | undefined;
}

/** Puts an answer into words. It is as old as the oldest of its parts. */
export function stockAnswer(
  sku: string,
  location: string,
  { isKnownSku, isKnownLocation, position, watermark, heldSince }: StockFacts,
  policy: StockPolicy,
  now: number,
): StockAnswer {
  const isStocked = position?.stock !== undefined && !position.stock.deleted && position.stock.onHand !== null;
  const state = isStocked
    ? 'stocked'
    : !isKnownSku && position === undefined
      ? 'unknown-sku'
      : isKnownLocation
        ? 'not-stocked'
        : 'unknown-location';
  const { onHand, reserved, sold, available } =
    position === undefined
      ? { onHand: null, reserved: null, sold: 0, available: null }
      : availabilityOf(position, kindOf(location, policy));
  // The clock that beats may be ahead of ours: nothing is newer than now.
  const asOf = watermark === undefined ? undefined : Math.min(watermark, heldSince ?? watermark, now);
  const image = position?.sku === undefined || position.sku.deleted ? undefined : position.sku;
  return {
    sku,
    location,
    state,
    onHand,
    reserved,
    soldSinceCount: sold,
    available,
    countedAt: isStocked ? position.stock.countedAt : null,
    status: image?.status ?? null,
    reorderPoint: image?.reorderPoint ?? null,
    low: isStocked && position.levels.isLow,
    version: position?.version ?? 0,
    asOf: asOf === undefined ? null : new Date(asOf).toISOString(),
    ageSeconds: asOf === undefined ? null : Math.ceil((now - asOf) / 1_000),
    stale: asOf === undefined || now - asOf > policy.maximumAgeSeconds * 1_000,
  };
}
