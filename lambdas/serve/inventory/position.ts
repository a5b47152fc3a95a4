import { kindOf, type LocationKind, type StockPolicy } from '../../base/domain/stock-policy';
import { type Crossing, crossingsOf, type Levels, levelsAfter, unknownLevels } from './crossings';
import { type Cutoff, compacted, nothingSold, type Sold, soldSince, withSold } from './sold-buckets';

/** What the inventory database says of an SKU at a location, with its place in the database's log. */
export interface StockImage {
  readonly position: string;
  readonly fills: number;
  /** Null: the row is gone. */
  readonly onHand: number | null;
  readonly reserved: number | null;
  /** UTC: when `on_hand` was right. Null: the row does not say. */
  readonly countedAt: string | null;
  readonly committedAt: string | null;
  readonly deleted: boolean;
}

/** What it says of the SKU itself. */
export interface SkuImage {
  readonly position: string;
  readonly fills: number;
  readonly status: string | null;
  readonly reorderPoint: number | null;
  readonly deleted: boolean;
}

/** All that is known of an SKU at a location. A version is one committed state; its history is the sequence of them. */
export interface Position {
  readonly version: number;
  readonly stock: StockImage | undefined;
  readonly sku: SkuImage | undefined;
  readonly sold: Sold;
  /** Ever sold here: units less those that came back, and lines. */
  readonly units: number;
  readonly lines: number;
  /** The last pack of each lane that was counted here: a pack that comes again changes nothing. */
  readonly lanes: Readonly<Record<string, number>>;
  readonly levels: Levels;
}

const noPosition: Position = {
  version: 0,
  stock: undefined,
  sku: undefined,
  sold: nothingSold,
  units: 0,
  lines: 0,
  lanes: {},
  levels: unknownLevels,
};

/** What a pack counts at one position. */
export interface Counts {
  readonly lane: string;
  readonly pack: number;
  /** Units by ten minutes. */
  readonly sold: ReadonlyMap<string, number>;
  readonly lines: number;
}

/** The circumstances of a change. */
export interface Circumstances {
  readonly sku: string;
  readonly location: string;
  readonly policy: StockPolicy;
  /** How long what was sold is kept by its time (see `compacted`). */
  readonly horizonMs: number;
  readonly now: number;
  /** The last pack of a lane of which it is certain that nobody is counting it any more; 0: nothing is certain. */
  readonly settledOf: (lane: string) => number;
}

/** A version to commit, and the crossings that it is. */
export interface Commit {
  readonly position: Position;
  readonly crossings: readonly Crossing[];
}

/** The position after a pack of a lane was counted; undefined when it was before. */
export function withCounts(before: Position | undefined, counts: Counts, at: Circumstances): Commit | undefined {
  const position = before ?? noPosition;
  if ((position.lanes[counts.lane] ?? 0) >= counts.pack) return undefined;
  const units = [...counts.sold.values()].reduce((sum, each) => sum + each, 0);
  return committed(
    position,
    {
      ...position,
      sold: withSold(position.sold, counts.sold, at.now),
      units: position.units + units,
      lines: position.lines + counts.lines,
      lanes: { ...withoutSettled(position.lanes, at), [counts.lane]: counts.pack },
    },
    at,
  );
}

/** The position with what the database says, each row unless a newer image of it is known; undefined when both are. */
export function withImages(
  before: Position | undefined,
  { stock, sku }: { readonly stock: StockImage | undefined; readonly sku: SkuImage | undefined },
  at: Circumstances,
): Commit | undefined {
  const position = before ?? noPosition;
  const next = { ...position, stock: newer(position.stock, stock), sku: newer(position.sku, sku) };
  if (next.stock === position.stock && next.sku === position.sku) return undefined;
  return committed(position, next, at);
}

/** What a position says to those who plan by it. Null: not known. */
export interface Availability {
  readonly onHand: number | null;
  readonly reserved: number | null;
  /** Sold since the count, as far as the database does not contain it. */
  readonly sold: number;
  /** On hand - reserved - sold; below zero where more was sold than there was. */
  readonly available: number | null;
}

export function availabilityOf({ stock, sold }: Pick<Position, 'stock' | 'sold'>, kind: LocationKind): Availability {
  const { onHand = null, reserved = null } = stock === undefined || stock.deleted ? {} : stock;
  const since = soldSince(sold, cutoffOf(stock, kind), kind);
  // What cannot be (a negative reservation) never adds to what can be promised.
  return {
    onHand,
    reserved,
    sold: since,
    available: onHand === null ? null : onHand - Math.max(0, reserved ?? 0) - since,
  };
}

function committed(before: Position, changed: Position, at: Circumstances): Commit {
  const kind = kindOf(at.location, at.policy);
  const sold = compacted(changed.sold, cutoffOf(changed.stock, kind), kind, at.now, at.horizonMs);
  const next = { ...changed, version: before.version + 1, sold };
  const { available } = availabilityOf(next, kind);
  const levels = levelsAfter(before.levels, available, next.sku, at.policy);
  return { position: { ...next, levels }, crossings: crossingsOf(before.levels, levels) };
}

/** Until when the count covers what was sold. A row that does not say is right when it was written. */
function cutoffOf(stock: StockImage | undefined, { onHand, lagSeconds }: LocationKind): Cutoff {
  if (stock === undefined || stock.deleted) return undefined;
  const time = stock.countedAt ?? stock.committedAt;
  if (time === null) return undefined;
  return Date.parse(time) - (onHand === 'with-sales' ? lagSeconds * 1_000 : 0);
}

function newer<Image extends { readonly position: string; readonly fills: number }>(
  known: Image | undefined,
  image: Image | undefined,
): Image | undefined {
  if (image === undefined || known === undefined) return image ?? known;
  const isNewer = image.position === known.position ? image.fills > known.fills : image.position > known.position;
  return isNewer ? image : known;
}

// So many lanes may stand in a position before those are looked for that need not.
const lanesKept = 8;

function withoutSettled(lanes: Position['lanes'], { settledOf }: Circumstances): Position['lanes'] {
  if (Object.keys(lanes).length < lanesKept) return lanes;
  return Object.fromEntries(Object.entries(lanes).filter(([lane, pack]) => pack > settledOf(lane)));
}
