/**
 * Sequence numbers in kinesalite's layout, which is that of Kinesis since 2014: from the left, the second in which the
 * shard was made, the record's index, the second of arrival and the shard. Written with BigInt, at a tenth of the price.
 */
export class SequenceNumbers {
  readonly #prefix: string;
  readonly #suffix: string;

  constructor(
    /** The shard's StartingSequenceNumber. */
    first: string,
  ) {
    const hex = BigInt(first).toString(16);
    this.#prefix = hex.slice(0, 11);
    this.#suffix = hex.slice(38);
  }

  /** The number of the shard's record `index`, counted from 1, that arrived at this millisecond. */
  of(index: number, milliseconds: number): string {
    const arrival = Math.floor(milliseconds / 1000);
    return BigInt(
      `0x${this.#prefix}${index.toString(16).padStart(16, '0')}00${arrival.toString(16).padStart(9, '0')}${this.#suffix}`,
    ).toString();
  }

  /** The index in a sequence number, or undefined if it is not one of this shard. */
  indexOf(sequenceNumber: string): number | undefined {
    if (!/^\d{1,60}$/.test(sequenceNumber)) return undefined;
    const hex = BigInt(sequenceNumber).toString(16);
    if (hex.length !== 47 || !hex.startsWith(this.#prefix) || !hex.endsWith(this.#suffix)) return undefined;
    return Number.parseInt(hex.slice(11, 27), 16);
  }
}
