import type { Range } from './dynalite';

const longestChunk = 512;

/** A map whose keys can also be read in order: what LevelDB is to dynalite, in memory and without waiting. */
export class SortedMap<Value> {
  readonly #values = new Map<string, Value>();
  /** The keys in order, in short pieces, so that an insertion moves few of them however many there are. */
  readonly #chunks: string[][] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    if (!this.#values.has(key)) this.#insert(key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at]!;
    chunk.splice(firstNotBelow(chunk, key), 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  entries(): IterableIterator<[string, Value]> {
    return this.#values.entries();
  }

  /** The values of a range as they are now: later writes do not show. */
  values({ gt, gte, lt, lte, reverse = false, limit = -1 }: Range = {}): Value[] {
    const most = limit < 0 ? Number.POSITIVE_INFINITY : limit;
    const inside = (key: string) =>
      (gt === undefined || key > gt) &&
      (gte === undefined || key >= gte) &&
      (lt === undefined || key < lt) &&
      (lte === undefined || key <= lte);
    const values: Value[] = [];
    const start = reverse ? (lte ?? lt) : (gte ?? gt);
    for (const key of this.#from(start, reverse)) {
      if (values.length >= most) break;
      if (inside(key)) values.push(this.#values.get(key)!);
      // The walk begins at one bound, so a key beyond the other ends it; the starting bound itself may be excluded.
      else if (key !== start && (reverse ? below(key, gte ?? gt) : above(key, lte ?? lt))) break;
    }
    return values;
  }

  *#from(start: string | undefined, reverse: boolean): Generator<string> {
    const step = reverse ? -1 : 1;
    let at = start === undefined ? (reverse ? this.#chunks.length - 1 : 0) : this.#chunkOf(start);
    let chunk = this.#chunks[at];
    if (chunk === undefined) return;
    let index = start === undefined ? (reverse ? chunk.length - 1 : 0) : firstNotBelow(chunk, start);
    // Downwards the walk begins one key above the bound at most: `values` skips it.
    if (reverse && index === chunk.length) index -= 1;
    while (chunk !== undefined) {
      for (; index >= 0 && index < chunk.length; index += step) yield chunk[index]!;
      at += step;
      chunk = this.#chunks[at];
      index = reverse && chunk !== undefined ? chunk.length - 1 : 0;
    }
  }

  #insert(key: string): void {
    if (this.#chunks.length === 0) this.#chunks.push([]);
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at]!;
    chunk.splice(firstNotBelow(chunk, key), 0, key);
    if (chunk.length > longestChunk) this.#chunks.splice(at + 1, 0, chunk.splice(longestChunk / 2));
  }

  /** The last chunk that begins at or before the key, else the first. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#chunks[middle]![0]! <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function firstNotBelow(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function below(key: string, bound: string | undefined): boolean {
  return bound !== undefined && key <= bound;
}

function above(key: string, bound: string | undefined): boolean {
  return bound !== undefined && key >= bound;
}
