import fc from 'fast-check';
import { oneRowPerKey } from '../../../lambdas/base/domain/lake-views';
import { netOf, type Sale, signOf } from '../../../lambdas/base/domain/sale';
import {
  lineRowsOf,
  type RowTable,
  rowTables,
  saleLines,
  saleTenders,
  tenderRowsOf,
} from '../../../lambdas/base/domain/sale-rows';
import { aSale } from '../../engine-rig/sales';
import { arbitrarySale } from './arbitrary-sale';

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test('the rows of a sale add up to the sale', () => {
  fc.assert(
    fc.property(arbitrarySale, (sale) => {
      const lines = lineRowsOf(sale);
      const tenders = tenderRowsOf(sale);

      expect(lines).toHaveLength(sale.lines.length);
      expect(tenders).toHaveLength(sale.tenders.length);
      expect(sum(lines.map(({ units }) => units))).toBe(
        signOf(sale) * sum(sale.lines.map((line) => line.quantity)) + 0,
      );
      expect(sum(lines.map(({ net }) => net))).toBe(signOf(sale) * sum(sale.lines.map(netOf)) + 0);
      expect(sum(tenders.map(({ signed_amount }) => signed_amount))).toBe(
        signOf(sale) * sum(sale.tenders.map((tender) => tender.amount)) + 0,
      );
    }),
  );
});

test('a row has the columns of its table and its partition, and every value the type of its column', () => {
  fc.assert(
    fc.property(arbitrarySale, (sale) => {
      for (const row of lineRowsOf(sale)) expectToFit(row, saleLines);
      for (const row of tenderRowsOf(sale)) expectToFit(row, saleTenders);
    }),
  );
});

function expectToFit(row: object, table: RowTable): void {
  const values: Record<string, unknown> = JSON.parse(JSON.stringify(row));
  expect(Object.keys(row).sort()).toEqual([...table.columns.map(({ name }) => name), 'accepted_date'].sort());
  for (const { name, type, bytes, optional } of table.columns) {
    const value = values[name];
    if (value === undefined) expect(optional).toBe(true);
    else if (type === 'bigint') expect(Number.isSafeInteger(value)).toBe(true);
    else if (type === 'timestamp') expect(value).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
    else if (name !== 'note') expect(Buffer.byteLength(String(value))).toBeLessThanOrEqual(bytes ?? 0);
  }
}

test('a return counts negative in units, net and amount, and as sent elsewhere', () => {
  const sale: Sale = aSale({
    type: 'return',
    originalTransactionId: 'T-0',
    lines: [{ line: 7, sku: 'SKU-1', quantity: 3, unitPrice: 255, discount: 10, tax: 20 }],
    tenders: [{ type: 'cash', amount: 775 }],
  });

  const [line] = lineRowsOf(sale);
  const [tender] = tenderRowsOf(sale);

  expect(line).toMatchObject({ line: 7, quantity: 3, unit_price: 255, discount: 10, tax: 20, units: -3, net: -755 });
  expect(line).toMatchObject({ type: 'return', original_transaction_id: 'T-0', business_date: '2026-11-22' });
  expect(tender).toMatchObject({
    tender: 1,
    tender_type: 'cash',
    amount: 775,
    signed_amount: -775,
    tender_difference: 0,
  });
});

test("a sale's rows lie under the date of its acceptance, in UTC, whenever it occurred", () => {
  const sale = aSale({ occurredAt: '2010-01-01T23:59:59.999Z', acceptedAt: '2026-11-22T23:59:59.999Z' });

  const dates = [...lineRowsOf(sale), ...tenderRowsOf(sale)].map((row) => row.accepted_date);

  expect(new Set(dates)).toEqual(new Set(['2026-11-22']));
});

test('tenders need not add up: the difference stands on each of them', () => {
  const sale = aSale({
    tenders: [
      { type: 'cash', amount: 500 },
      { type: 'other', amount: 30 },
    ],
  });

  expect(tenderRowsOf(sale).map(({ tender_difference }) => tender_difference)).toEqual([20, 20]);
});

test('what identifies a row is never null, and the parts of a sale are told apart by it', () => {
  for (const { key, columns } of rowTables)
    for (const part of key) expect(columns.find(({ name }) => name === part)).not.toHaveProperty('optional');
});

test('no column is a reserved word where the rows are read', () => {
  // From the lists of Redshift, PostgreSQL and Athena (DDL and SELECT): those that name something of a sale.
  const reserved = new Set(
    'all and any array as asc between both by case cast check collate column constraint create cross cube current_date current_time current_timestamp current_user date default delete desc distinct drop else end except exists external extract false for foreign from full grant group having in inner insert intersect interval into is join leading left like limit minus natural new not null number off offset oid old on open or order outer partition percent permissions primary range raw references right row rows select session_user set snapshot some system table tag then time timestamp to top trailing true union unique unnest user using values wallet when where window with'.split(
      ' ',
    ),
  );

  const names = rowTables.flatMap(({ columns }) => columns.map(({ name }) => name));

  expect(names.filter((name) => reserved.has(name))).toEqual([]);
});

test('the query for one row per key names every column once and the key in full', () => {
  const query = oneRowPerKey(saleTenders, 'lake.sale_tenders');

  expect(query).toContain('PARTITION BY source, transaction_id, tender ORDER BY');
  expect(query).toContain('FROM lake.sale_tenders');
  for (const { name } of saleTenders.columns) expect(query).toContain(name);
});
