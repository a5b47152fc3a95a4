import fc from 'fast-check';
import { type RowChange, type StoredRow, withChange } from '../../../lambdas/serve/badges/row-state';

const columns = ['a', 'b', 'c'];
const apply = (changes: readonly RowChange[]) =>
  changes.reduce<StoredRow | undefined>((stored, change) => withChange(stored, change, columns), undefined);

/** A history of one row, in order: it is made, changed in part or whole, and deleted. */
const history = fc
  .array(
    fc.oneof(
      fc.record({
        effect: fc.constant('replace' as const),
        row: fc.record({ a: fc.nat(9), b: fc.nat(9), c: fc.nat(9) }),
      }),
      fc.record({
        effect: fc.constant('merge' as const),
        row: fc.record({ a: fc.nat(9), b: fc.nat(9), c: fc.nat(9) }, { requiredKeys: [] }),
      }),
      fc.record({ effect: fc.constant('delete' as const), row: fc.constant({}) }),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((changes) => changes.map((change, index): RowChange => ({ ...change, position: `000001:${index}` })));

test('in whatever order and however often changes come, the row ends as the history says', () => {
  const shuffledHistory = history.chain((changes) =>
    fc.tuple(
      fc.constant(changes),
      fc.shuffledSubarray(changes, { minLength: changes.length }),
      fc.array(fc.constantFrom(...changes), { maxLength: 4 }),
    ),
  );

  fc.assert(
    fc.property(shuffledHistory, ([changes, shuffled, repeated]) => {
      // By hand: what a table that saw the history in order would hold, where columns are null until they are known.
      let truth: Record<string, number | null> | undefined;
      for (const { effect, row } of changes) {
        const nothing = { a: null, b: null, c: null };
        truth =
          effect === 'delete' ? undefined : { ...nothing, ...(effect === 'merge' ? truth : {}), ...(row as object) };
      }

      const stored = apply([...repeated, ...shuffled, ...repeated])!;

      expect(stored.deleted ? undefined : stored.row).toEqual(truth);
      expect(stored.position).toBe(changes.at(-1)!.position);
    }),
    { seed: 20261122, numRuns: 500 },
  );
});

test('a change that adds nothing answers the very row', () => {
  const stored = apply([{ position: '000001:5', effect: 'replace', row: { a: 1 } }])!;

  expect(withChange(stored, { position: '000001:5', effect: 'replace', row: { a: 2 } }, columns)).toBe(stored);
  expect(withChange(stored, { position: '000001:4', effect: 'delete', row: {} }, columns)).toBe(stored);
});
