import { createHash } from 'node:crypto';
import type { Sale } from '../../base/domain/sale';

/**
 * What a digest covers, by version. A version is frozen once it has been deployed: claims live for weeks, and a repeat
 * is compared under the version of the claim it meets. When the event gains a field, a new version covers it, and the old
 * ones leave it out, since it could not be there when they were made.
 */
const covered: Readonly<Record<string, (sale: Sale) => unknown>> = { 1: coveredByVersion1 };
const newest = '1';

/** The digest to claim a sale with, `<version>:<SHA-256>`. */
export function digestOf(sale: Sale): string {
  return digestUnder(newest, sale)!;
}

/** Whether a sale is the one that was claimed; undefined when the claim's version is not known here. */
export function matches(claimed: string, sale: Sale): boolean | undefined {
  const digest = digestUnder(claimed.split(':', 1)[0]!, sale);
  return digest === undefined ? undefined : digest === claimed;
}

function digestUnder(version: string, sale: Sale): string | undefined {
  const parts = covered[version];
  if (parts === undefined) return undefined;
  return `${version}:${createHash('sha256')
    .update(canonical(parts(sale)))
    .digest('base64url')}`;
}

/**
 * The tokenized event without `acceptedAt`, which the door stamps anew on a repeat, and of a card its token alone: what
 * else is known of it comes from a table of the operator's that may change between two sendings.
 */
function coveredByVersion1({ acceptedAt: _, ...sale }: Sale): unknown {
  const tenders = sale.tenders.map(({ card, ...tender }) =>
    card === undefined ? tender : { ...tender, card: { token: card.token } },
  );
  return { ...sale, tenders };
}

/** JSON that does not depend on the order of an object's keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}
