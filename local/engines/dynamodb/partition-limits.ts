const unitsPerSecond = 1_000;

interface Bucket {
  units: number;
  filledAt: number;
}

/**
 * What the items of one partition key take together: 1,000 write units a second, with one second's worth in hand. A write
 * passes while there is anything left and is then taken off whole. AWS may put several keys into one partition, or give a
 * hot one more for a while; neither is imitated, nor are the partitions of indexes.
 */
export class PartitionLimits {
  readonly #buckets = new Map<string, Bucket>();

  constructor(private readonly now: () => number) {}

  /** Whether the partition of this storage key has nothing left. */
  exhausted(key: string): boolean {
    const bucket = this.#buckets.get(partitionOf(key));
    if (bucket === undefined) return false;
    this.#fill(bucket);
    return bucket.units <= 0;
  }

  take(key: string, units: number): void {
    const partition = partitionOf(key);
    const bucket = this.#buckets.get(partition) ?? { units: unitsPerSecond, filledAt: this.now() };
    this.#buckets.set(partition, bucket);
    this.#fill(bucket);
    bucket.units -= units;
  }

  #fill(bucket: Bucket): void {
    const now = this.now();
    const seconds = Math.max(0, now - bucket.filledAt) / 1000;
    bucket.filledAt = now;
    bucket.units = Math.min(unitsPerSecond, bucket.units + seconds * unitsPerSecond);
  }
}

/** A storage key is `hash/partition key/` and, in some tables, `sort key/`. */
function partitionOf(key: string): string {
  return key.slice(0, key.indexOf('/', key.indexOf('/') + 1));
}
