/** Random numbers that are the same for the same seed (mulberry32). */
export interface Random {
  /** From 0 to below `below`, whole. */
  whole(below: number): number;
  one<T>(of: readonly T[]): T;
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    whole: (below) => Math.floor(next() * below),
    one: (of) => of[Math.floor(next() * of.length)]!,
  };
}
