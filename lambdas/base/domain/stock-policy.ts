/** What a retailer decides about stock. */
export interface StockPolicy {
  /** The kinds of locations: the first whose pattern fits a location's name is its kind. The last one must fit all. */
  readonly locationKinds: readonly LocationKind[];
  /**
   * A position that fell to its reorder point is armed again only this much above it, as a share of the reorder point and
   * at least one unit: what wavers around the point triggers once.
   */
  readonly rearmShare: number;
  /** An answer that is older than this says `stale`. */
  readonly maximumAgeSeconds: number;
}

/** How the inventory database's `on_hand` of a location relates to what is sold there. */
export interface LocationKind {
  readonly name: string;
  /** A regular expression over the location's whole name. */
  readonly locations: string;
  /**
   * `without-sales`: `on_hand` is what was counted at `updated_at`; all that was sold since is taken off, with the ten
   * minutes in which the count was made: at worst, what was sold in those before the count is taken off twice until the next.
   * `with-sales`: the database takes sales off by itself, `lagSeconds` after them at most; what was sold in ten minutes
   * that begin later than `updated_at` less that lag is taken off: at worst, sales of the ten minutes of the last change
   * are not taken off until the database does so.
   */
  readonly onHand: 'without-sales' | 'with-sales';
  readonly lagSeconds: number;
}

/** Reads a policy that a stage gives as JSON: one that is not whole stops the function at once. */
export function readStockPolicy(text: string): StockPolicy {
  const policy = JSON.parse(text) as StockPolicy;
  for (const name of ['rearmShare', 'maximumAgeSeconds'] as const)
    if (!Number.isFinite(policy[name]) || policy[name] < 0)
      throw new Error(`stock policy: ${name}: got ${policy[name]}, allowed: a number of at least 0`);
  for (const { name, locations, onHand, lagSeconds } of policy.locationKinds) {
    if (onHand !== 'without-sales' && onHand !== 'with-sales')
      throw new Error(`stock policy: onHand of ${name}: got ${onHand}, allowed: without-sales, with-sales`);
    if (!Number.isFinite(lagSeconds) || lagSeconds < 0)
      throw new Error(`stock policy: lagSeconds of ${name}: got ${lagSeconds}, allowed: a number of at least 0`);
    patternOf(locations);
  }
  kindOf('any', { ...policy, locationKinds: policy.locationKinds.slice(-1) });
  return policy;
}

/** The kind of a location. */
export function kindOf(location: string, { locationKinds }: StockPolicy): LocationKind {
  const kind = locationKinds.find(({ locations }) => patternOf(locations).test(location));
  if (kind === undefined) throw new Error(`stock policy: no kind fits location '${location}': the last must fit all`);
  return kind;
}

const patterns = new Map<string, RegExp>();

function patternOf(locations: string): RegExp {
  let pattern = patterns.get(locations);
  if (pattern === undefined) {
    pattern = new RegExp(`^(?:${locations})$`);
    patterns.set(locations, pattern);
  }
  return pattern;
}
