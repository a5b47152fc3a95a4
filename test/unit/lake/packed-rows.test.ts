import fc from 'fast-check';
import { callsFor } from '../../../lambdas/serve/lake/delivery-stream';
import {
  maximumRecordBytes,
  maximumRecordRows,
  type PackableRow,
  packRows,
} from '../../../lambdas/serve/lake/packed-rows';

const rowsOf = (count: number, change: (index: number) => Partial<PackableRow> = () => ({})): PackableRow[] =>
  Array.from({ length: count }, (_, index) => ({
    date: '2026-11-22',
    json: JSON.stringify({ row: index }),
    origin: 0,
    ...change(index),
  }));

const arbitraryRows = fc
  .array(
    fc.record({
      date: fc.constantFrom('2026-11-21', '2026-11-22'),
      // From rows of a few bytes to rows of which few fit; some count more bytes than characters.
      padding: fc.oneof(fc.constant(''), fc.constant('x'.repeat(400)), fc.constant('é'.repeat(120_000))),
      origin: fc.nat(20),
    }),
    { maxLength: 60 },
  )
  .map((rows) =>
    rows.map(
      ({ date, padding, origin }, index): PackableRow => ({ date, origin, json: JSON.stringify({ index, padding }) }),
    ),
  );

test('packing keeps the limits of a record, and loses and doubles no row', () => {
  fc.assert(
    fc.property(arbitraryRows, (rows) => {
      const packed = [...packRows(rows)];

      for (const { text, bytes, rows: count } of packed) {
        expect(bytes).toBe(Buffer.byteLength(text));
        expect(bytes).toBeLessThanOrEqual(maximumRecordBytes);
        expect(count).toBeLessThanOrEqual(maximumRecordRows);
      }
      for (const date of ['2026-11-21', '2026-11-22']) {
        const text = packed.filter((record) => record.date === date).map((record) => record.text);
        const expected = rows.filter((row) => row.date === date).map(({ json }) => `${json}\n`);
        expect(text.join('')).toBe(expected.join(''));
      }
    }),
    { numRuns: 50 },
  );
});

test('a record names every sale that has rows in it', () => {
  fc.assert(
    fc.property(arbitraryRows, (rows) => {
      const sales = new Map(rows.map(({ json, origin }) => [json, origin]));

      for (const { text, origins: named } of packRows(rows)) {
        const inside = text
          .trimEnd()
          .split('\n')
          .map((json) => sales.get(json)!);
        expect(new Set(named)).toEqual(new Set(inside));
      }
    }),
    { numRuns: 50 },
  );
});

test('a sale of 2,000 lines takes four records, since Firehose takes 500 rows out of one', () => {
  expect([...packRows(rowsOf(2_000))].map(({ rows }) => rows)).toEqual([500, 500, 500, 500]);
});

test('of a batch that is far larger than memory no more is made than one call takes', () => {
  let made = 0;
  function* rows(): Generator<PackableRow> {
    for (;;) yield { date: '2026-11-22', json: 'x'.repeat(2_000), origin: made++ };
  }

  const [call] = callsFor(packRows(rows()));

  expect(call!.length).toBeGreaterThan(0);
  expect(made).toBeLessThan((5 * 1_024 * 1_024) / 2_000 + maximumRecordRows);
});

test('rows of many sales share a record', () => {
  const [record, ...more] = packRows(rowsOf(400, (index) => ({ origin: index })));

  expect(more).toEqual([]);
  expect(record!.origins).toHaveLength(400);
});

test('a call takes at most 500 records and 4 MiB', () => {
  const small = [...packRows(rowsOf(501, (index) => ({ date: `day ${index}` })))];
  const large = [...packRows(rowsOf(9, (index) => ({ date: `day ${index}`, json: 'x'.repeat(1_000_000) })))];

  expect([...callsFor(small)].map((call) => call.length)).toEqual([500, 1]);
  expect([...callsFor(large)].map((call) => call.length)).toEqual([4, 4, 1]);
  expect([...callsFor([])]).toEqual([]);
});
