import fc from 'fast-check';
import { countChanges, firstCountedDay, promisedBy, summed } from '../../../lambdas/serve/badges/promises';
import type { StoredRow } from '../../../lambdas/serve/badges/row-state';

const firstDay = '2026-11-15';
const order = (fc_id: string | null, promised_date: string | null, status = 'open', deleted = false): StoredRow => ({
  position: '000001:1',
  row: deleted ? {} : { fc_id, promised_date, status },
  deleted,
  lagging: {},
  fills: 0,
});

test('shipping frees no capacity, cancelling and deleting do', () => {
  expect(promisedBy(order('fc-1', '2026-11-22', 'shipped'))).toEqual({ fc: 'fc-1', day: '2026-11-22' });
  expect(promisedBy(order('fc-1', '2026-11-22', 'cancelled'))).toBeUndefined();
  expect(promisedBy(order('fc-1', '2026-11-22', 'open', true))).toBeUndefined();
  expect(promisedBy(order(null, '2026-11-22'))).toBeUndefined();
  expect(promisedBy(order('fc-1', null))).toBeUndefined();
});

test('an order that moves leaves one count and enters another', () => {
  const changes = countChanges(order('fc-1', '2026-11-22'), order('fc-2', '2026-11-23'), firstDay);

  expect(changes).toEqual([
    { fc: 'fc-1', day: '2026-11-22', by: -1 },
    { fc: 'fc-2', day: '2026-11-23', by: 1 },
  ]);
});

test('days that are over everywhere are not counted, up or down', () => {
  expect(countChanges(undefined, order('fc-1', '2026-11-14'), firstDay)).toEqual([]);
  expect(countChanges(order('fc-1', '2026-11-14'), order('fc-1', '2026-11-23'), firstDay)).toEqual([
    { fc: 'fc-1', day: '2026-11-23', by: 1 },
  ]);
  expect(firstCountedDay(Date.parse('2026-11-22T01:00:00Z'))).toBe(firstDay);
});

test('the changes of any history add up to its last row', () => {
  const row = fc.tuple(
    fc.constantFrom('fc-1', 'fc-2', null),
    fc.constantFrom('2026-11-22', '2026-11-23', null),
    fc.constantFrom('open', 'shipped', 'cancelled'),
    fc.boolean(),
  );

  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 10 }), (rows) => {
      const history = rows.map((each) => order(...each));
      const changes = history.flatMap((next, index) => countChanges(history[index - 1], next, firstDay));

      const counts = [...summed(changes)].flatMap(([fc, days]) =>
        [...days].map(([day, count]) => ({ fc, day, count })),
      );

      const last = promisedBy(history.at(-1));
      expect(counts).toEqual(last === undefined ? [] : [{ ...last, count: 1 }]);
    }),
    { seed: 20261122 },
  );
});
