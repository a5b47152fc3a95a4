import type { Sale } from '../../base/domain/sale';
import { matches } from './digest';

/** A sale as it arrived: at a position of the stream, under its key. */
export interface Arrival {
  readonly key: string;
  readonly position: string;
  readonly sale: Sale;
}

/** Which record of a sale won, and what it said. */
export interface Claim {
  readonly position: string;
  readonly digest: string;
}

export interface Contradiction<A extends Arrival> {
  readonly arrival: A;
  readonly claim: Claim;
}

/** What becomes of each arrival. Every one is in exactly one place. */
export interface Decision<A extends Arrival> {
  /** The winners, now or when they are delivered again: a crash between claim and hand-over loses nothing. */
  readonly handOver: readonly A[];
  /** The same sale at another position. */
  readonly repeats: readonly A[];
  /** The same key at another position with another body. */
  readonly conflicts: readonly Contradiction<A>[];
  /** At another position, and claimed under a digest version that only a newer release knows. */
  readonly incomparable: readonly Contradiction<A>[];
  /** From the first arrival without a known claim on: to be delivered again. */
  readonly undecided: readonly A[];
}

/** The arrivals that claim: the first of each key. */
export function firstOfEachKey<A extends Arrival>(arrivals: readonly A[]): A[] {
  const firsts = new Map<string, A>();
  for (const arrival of arrivals) if (!firsts.has(arrival.key)) firsts.set(arrival.key, arrival);
  return [...firsts.values()];
}

/**
 * Decides each arrival of a batch, given who holds the claim of each key. Position is compared first and digest second,
 * so the winner is handed over however often it comes, and whichever copies stand beside it.
 */
export function decide<A extends Arrival>(arrivals: readonly A[], claims: ReadonlyMap<string, Claim>): Decision<A> {
  const handOver: A[] = [];
  const repeats: A[] = [];
  const conflicts: Contradiction<A>[] = [];
  const incomparable: Contradiction<A>[] = [];
  for (const [index, arrival] of arrivals.entries()) {
    const claim = claims.get(arrival.key);
    if (claim === undefined) return { handOver, repeats, conflicts, incomparable, undecided: arrivals.slice(index) };
    if (arrival.position === claim.position) {
      handOver.push(arrival);
      continue;
    }
    const same = matches(claim.digest, arrival.sale);
    if (same === undefined) incomparable.push({ arrival, claim });
    else if (same) repeats.push(arrival);
    else conflicts.push({ arrival, claim });
  }
  return { handOver, repeats, conflicts, incomparable, undecided: [] };
}
