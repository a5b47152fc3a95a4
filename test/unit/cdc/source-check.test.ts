import { sourceTables } from '../../../lambdas/base/domain/source-tables';
import { objections } from '../../../lambdas/cdc/prepare-source/source-check';
import { stageNamed } from '../../../lib/stages';

const configured = stageNamed('dev').databases.inventory;
const found = Object.entries(sourceTables.inventory).map(([table, { columns, key }]) => ({ table, columns, key }));
const withSkus = (change: object) => found.map((table) => (table.table === 'skus' ? { ...table, ...change } : table));

test('a database that is as configured is replicated', () => {
  expect(objections('inventory', configured, found, 'logical')).toEqual([]);
});

test('a column that nobody decided about is refused: it would be sent', () => {
  const columns = [...sourceTables.inventory.skus.columns, 'buyer_phone'];

  expect(objections('inventory', configured, withSkus({ columns }), 'logical')).toEqual([
    "column 'buyer_phone' of public.skus is neither mapped nor left out: add it to leaveOut",
  ]);
});

test.each([
  ['a table that is missing', found.slice(1), 'logical', 'there is no table public.skus for skus'],
  ['a column that is missing', withSkus({ columns: ['sku'] }), 'logical', "public.skus has no column 'status'"],
  ['no primary key', withSkus({ key: [] }), 'logical', 'the primary key of public.skus is (): it must be (sku)'],
  ['a log without rows', found, 'replica', "wal_level is 'replica': it must be 'logical'"],
])('%s is refused', (_, tables, walLevel, reason) => {
  expect(objections('inventory', configured, tables, walLevel)).toContain(reason);
});

test('a key in another order is refused: the order makes the key of the records', () => {
  const tables = found.map((table) => (table.table === 'stock' ? { ...table, key: ['location', 'sku'] } : table));

  expect(objections('inventory', configured, tables, 'logical')).toEqual([
    'the primary key of public.stock has the order (location, sku): allowed (sku, location)',
  ]);
});
