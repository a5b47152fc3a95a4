export interface ChunkLimits<T> {
  readonly most: number;
  /** Most bytes of a chunk, where calls are limited by them too. */
  readonly bytes?: number;
  readonly sizeOf?: (thing: T) => number;
}

/**
 * Cuts things, in order, into chunks that one call takes; a thing above the bytes is a chunk of its own. Only one chunk is
 * made at a time, so that what is cut need never be in memory whole.
 */
export function* chunksOf<T>(things: Iterable<T>, { most, bytes, sizeOf = () => 0 }: ChunkLimits<T>): Generator<T[]> {
  let chunk: T[] = [];
  let filled = 0;
  for (const thing of things) {
    const size = sizeOf(thing);
    if (chunk.length === most || (chunk.length > 0 && bytes !== undefined && filled + size > bytes)) {
      yield chunk;
      chunk = [];
      filled = 0;
    }
    chunk.push(thing);
    filled += size;
  }
  if (chunk.length > 0) yield chunk;
}
