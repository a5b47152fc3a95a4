import { readFileSync } from 'node:fs';
import { badgeHistory } from '../../../lambdas/base/domain/badge-history';
import { rowTables } from '../../../lambdas/base/domain/sale-rows';
import { snapshotColumns, snapshotTables } from '../../../lambdas/base/domain/snapshot-tables';
import { columnProblem, type ReleasedColumn, schemaProblem } from '../../released/compatibility';

/*
 * What was released stays readable: files and events of every release lie beside each other for ever. When something was
 * added in an allowed way, the new state is released by writing it into test/released.
 */
const read = (file: string) => JSON.parse(readFileSync(`test/released/${file}`, 'utf8'));
const releasedRows: Record<string, ReleasedColumn[]> = read('rows-of-the-lake.json');
const releasedEvent = read('sale.schema.json');
const tables = [
  ...[...rowTables, badgeHistory].map(({ name, columns }) => ({ name, columns })),
  ...snapshotTables.map((table) => ({ name: table.name, columns: snapshotColumns(table) })),
];

test.each(tables)('$name can be read beside what was released of it', ({ name, columns }) => {
  expect(Object.keys(releasedRows)).toContain(name);
  expect(columnProblem(name, releasedRows[name]!, columns)).toBeUndefined();
});

test.each(snapshotTables)('$name takes a column that comes to its source behind what it has', (table) => {
  const columns = [...table.source.columns, { name: 'cashier', type: 'string', optional: true, comment: '' } as const];

  const now = snapshotColumns({ ...table, source: { ...table.source, columns } });

  expect(columnProblem(table.name, releasedRows[table.name]!, now)).toBeUndefined();
  expect(now.at(-1)!.name).toBe('cashier');
  expect(now).toHaveLength(columns.length + table.derived.length);
});

test('no table that was released is gone', () => {
  expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(releasedRows)));
});

test('the door takes every event that it was released to take', () => {
  expect(schemaProblem(releasedEvent, JSON.parse(readFileSync('docs/sale.schema.json', 'utf8')))).toBeUndefined();
});

describe('of columns', () => {
  const released: ReleasedColumn[] = [
    { name: 'sku', type: 'string' },
    { name: 'net', type: 'bigint', optional: true },
  ];

  test('an optional one may come at the end', () => {
    expect(
      columnProblem('t', released, [...released, { name: 'new', type: 'string', optional: true }]),
    ).toBeUndefined();
  });

  test.each<[string, ReleasedColumn[], string]>([
    [
      'a required one',
      [...released, { name: 'new', type: 'string' }],
      't.new is new and required: only optional columns are added',
    ],
    [
      'one in between',
      [released[0]!, { name: 'new', type: 'string', optional: true }, released[1]!],
      'column 2 of t is new: released as net',
    ],
    ['one less', [released[0]!], 'column 2 of t is gone: released as net'],
    ['another type', [{ name: 'sku', type: 'bigint' }, released[1]!], 't.sku is bigint: released as string'],
    [
      'one that may be missing now',
      [{ name: 'sku', type: 'string', optional: true }, released[1]!],
      't.sku is optional: released as required',
    ],
  ])('%s is refused, with what was got and what is allowed', (_, now, message) => {
    expect(columnProblem('t', released, now)).toContain(message);
  });
});

describe('of an event', () => {
  const changed = (change: (schema: any) => void) => {
    const schema = structuredClone(releasedEvent);
    change(schema);
    return schemaProblem(releasedEvent, schema);
  };

  test('an optional field, a wider limit and one more allowed value may come', () => {
    expect(
      changed(({ properties }) => {
        properties.cashier = { type: 'string' };
        properties.note.maxLength += 1;
        properties.channel.anyOf.push({ const: 'phone', type: 'string' });
      }),
    ).toBeUndefined();
  });

  test.each<[string, (schema: any) => void, string]>([
    ['a field that is gone', ({ properties }) => delete properties.note, 'event.note is gone'],
    [
      'a field that is required now',
      ({ required }) => required.push('note'),
      'event.note is required: released as optional',
    ],
    [
      'another type',
      ({ properties }) => (properties.note.type = 'integer'),
      'type of event.note is "integer": released as "string"',
    ],
    [
      'a narrower limit',
      ({ properties }) => (properties.note.maxLength = 10),
      'maxLength of event.note is 10: released as 500',
    ],
    ['a value less', ({ properties }) => properties.channel.anyOf.pop(), 'anyOf of event.channel is'],
    [
      'a limit that is new',
      ({ properties }) => (properties.lines.items.properties.sku.maxLength = 9),
      'maxLength of event.lines[].sku is 9: released without',
    ],
  ])('%s is refused', (_, change, message) => {
    expect(changed(change)).toContain(message);
  });
});
