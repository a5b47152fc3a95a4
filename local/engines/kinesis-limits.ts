const recordsPerSecond = 1000;
const bytesPerSecond = 1024 * 1024;

/** What one shard takes in: 1,000 records and 1 MiB a second, with one second's worth in hand. */
export class ShardLimits {
  #records = recordsPerSecond;
  #bytes = bytesPerSecond;
  #filledAt: number;

  constructor(now: number) {
    this.#filledAt = now;
  }

  /** Takes a record of this size, or says no. */
  take(bytes: number, now: number): boolean {
    const seconds = Math.max(0, now - this.#filledAt) / 1000;
    this.#filledAt = now;
    this.#records = Math.min(recordsPerSecond, this.#records + seconds * recordsPerSecond);
    this.#bytes = Math.min(bytesPerSecond, this.#bytes + seconds * bytesPerSecond);
    if (this.#records < 1 || this.#bytes < bytes) return false;
    this.#records -= 1;
    this.#bytes -= bytes;
    return true;
  }
}
