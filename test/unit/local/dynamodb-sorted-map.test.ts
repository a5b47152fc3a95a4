import fc from 'fast-check';
import { SortedMap } from '../../../local/engines/dynamodb/sorted-map';

const key = fc.integer({ min: 0, max: 1500 }).map((number) => String(number).padStart(4, '0'));
const bound = fc.option(key, { nil: undefined });

test('reads any range as a sorted list of its entries would', () => {
  const change = fc.record({ key, remove: fc.boolean() });
  // Enough keys that pieces are split, in any order.
  const keys = fc.shuffledSubarray(Array.from({ length: 1500 }, (_, index) => String(index).padStart(4, '0')));

  fc.assert(
    fc.property(
      keys,
      fc.array(change),
      bound,
      bound,
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      fc.nat(20),
      (...input) => {
        const [inserted, changes, from, to, withFrom, withTo, reverse, limit] = input;
        const map = new SortedMap<string>();
        const model = new Map<string, string>();
        for (const { key, remove } of [...inserted.map((key) => ({ key, remove: false })), ...changes]) {
          if (remove) {
            map.delete(key);
            model.delete(key);
          } else {
            map.set(key, `value ${key}`);
            model.set(key, `value ${key}`);
          }
        }
        const range = {
          ...(from !== undefined && { [withFrom ? 'gte' : 'gt']: from }),
          ...(to !== undefined && { [withTo ? 'lte' : 'lt']: to }),
          reverse,
          limit: limit === 0 ? -1 : limit,
        };

        const read = map.values(range);

        const expected = [...model.keys()]
          .sort()
          .filter((key) => from === undefined || key > from || (withFrom && key === from))
          .filter((key) => to === undefined || key < to || (withTo && key === to));
        if (reverse) expected.reverse();
        expect(read).toEqual(expected.slice(0, limit === 0 ? undefined : limit).map((key) => `value ${key}`));
        expect(map.size).toBe(model.size);
      },
    ),
    { seed: 20261122, numRuns: 200 },
  );
});

test('what was read does not change with later writes', () => {
  const map = new SortedMap<number>();
  map.set('a', 1);
  map.set('b', 2);

  const read = map.values({ gte: 'a' });
  map.set('a', 3);
  map.delete('b');

  expect(read).toEqual([1, 2]);
});
