import type { StockTrigger } from '../../lambdas/serve/inventory/stock-trigger';

/** What a buyer is asked: shall so many be ordered? */
export interface Proposal {
  /** The trigger's own: the same crossing never makes two proposals. */
  readonly crossingId: string;
  readonly sku: string;
  readonly location: string;
  readonly quantity: number;
  readonly proposedAt: string;
}

/**
 * Fills up to twice the reorder point. Throws for what is no trigger of a reorder point: a rule that hands anything else
 * over, or a schema that has moved on, is for a human to look at.
 */
export function proposalOf(detail: Partial<StockTrigger>): Proposal {
  const { schemaVersion, kind, crossingId, sku, location, available, reorderPoint, decidedAt } = detail;
  if (schemaVersion !== 1) throw new Error(`schemaVersion: got ${schemaVersion}, allowed: 1`);
  if (kind !== 'reorder-point-reached') throw new Error(`kind: got '${kind}', allowed: reorder-point-reached`);
  for (const [name, value] of Object.entries({ crossingId, sku, location, decidedAt }))
    if (typeof value !== 'string' || value === '') throw new Error(`${name}: got none, allowed: a text`);
  for (const [name, value] of Object.entries({ available, reorderPoint }))
    if (!Number.isInteger(value)) throw new Error(`${name}: got ${value}, allowed: a whole number`);
  return {
    crossingId: crossingId!,
    sku: sku!,
    location: location!,
    quantity: 2 * reorderPoint! - available!,
    proposedAt: decidedAt!,
  };
}
