import type { SoldBuckets } from './sold-buckets';

/*
 * Units by time in as few bytes as can be, since each version of a position is written whole and every started KB is a write
 * unit: a position that sells all day takes some 400, where a map of numbers takes 5,000.
 *
 * How many runs of days there are, then the runs of days and those of ten minutes: how far each lies behind the one before,
 * how many follow each other in it, and the units of each. Numbers have seven bits a byte, the sign in the lowest.
 */

export function encodeBuckets(buckets: SoldBuckets): Uint8Array {
  const bytes: number[] = [];
  const days = runsOf(entriesOf(buckets, true));
  write(bytes, days.length);
  for (const runs of [days, runsOf(entriesOf(buckets, false))]) {
    let before = 0;
    for (const { first, units } of runs) {
      write(bytes, first - before);
      write(bytes, units.length);
      for (const each of units) write(bytes, each);
      before = first + units.length;
    }
  }
  return Uint8Array.from(bytes);
}

export function decodeBuckets(bytes: Uint8Array): SoldBuckets {
  const buckets: Record<string, number> = {};
  let place = 0;
  const next = () => {
    let folded = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[place++];
      if (byte === undefined) throw new Error('what was sold by time ends too early');
      folded += (byte % 128) * scale;
      if (byte < 128) return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
    }
  };
  let before = 0;
  for (let days = next(); place < bytes.length; days--) {
    if (days === 0) before = 0;
    before += next();
    for (let left = next(); left > 0; left--) buckets[`${days > 0 ? 'D' : ''}${(before++).toString(36)}`] = next();
  }
  return buckets;
}

interface Run {
  readonly first: number;
  readonly units: number[];
}

function runsOf(entries: readonly (readonly [number: number, units: number])[]): Run[] {
  const runs: Run[] = [];
  for (const [number, units] of entries) {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.units.length === number) last.units.push(units);
    else runs.push({ first: number, units: [units] });
  }
  return runs;
}

/** Days, or ten minutes, by their numbers. */
function entriesOf(buckets: SoldBuckets, isDay: boolean): [number: number, units: number][] {
  return Object.entries(buckets)
    .filter(([bucket]) => bucket.startsWith('D') === isDay)
    .map(([bucket, units]): [number, number] => [Number.parseInt(isDay ? bucket.slice(1) : bucket, 36), units])
    .sort(([one], [other]) => one - other);
}

/** By division, since bits of a number end at the 32nd. */
function write(bytes: number[], value: number): void {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(128 + (rest % 128));
  bytes.push(rest);
}
