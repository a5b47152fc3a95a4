import { type Change, parseChange, positionOf, sweptPosition } from '../../../lambdas/base/domain/change';

/** Records in the shapes that DMS documents and sends: one per operation and per form of a value. */
const metadata = {
  timestamp: '2026-11-22T10:15:30.983670Z',
  'record-type': 'data',
  operation: 'update',
  'partition-key-type': 'primary-key',
  'partition-key-value': 'inventory.stock.SKU-1.fc-1',
  'schema-name': 'inventory',
  'table-name': 'stock',
  'transaction-id': 1139,
  'transaction-record-id': 2,
  'commit-timestamp': '2026-11-22T10:15:30.974340Z',
  'stream-position': '00000002/7C007178.3.00000002/7C007178',
};
const data = { sku: 'SKU-1', location: 'fc-1', on_hand: 7, reserved: 2, updated_at: '2026-11-22T10:15:30Z' };

const parse = (record: object, more: object = {}) =>
  parseChange(JSON.stringify({ data, ...record, metadata: { ...metadata, ...more } }));

test('an update is a change at its place in the log', () => {
  const change = parse({ 'before-image': {} });

  expect(change).toEqual({
    database: 'inventory',
    table: 'stock',
    operation: 'update',
    key: ['SKU-1', 'fc-1'],
    row: { ...data, updated_at: '2026-11-22T10:15:30.000000Z' },
    commitTime: '2026-11-22T10:15:30.974340Z',
    logPosition: '000000027C007178:0000000002',
  });
});

test('an update of the primary key carries the old one', () => {
  const change = parse({ 'before-image': { location: 'fc-0' } });

  expect(change).toMatchObject({ key: ['SKU-1', 'fc-1'], oldKey: ['SKU-1', 'fc-0'] });
});

test('a load has no transaction, and comes before all changes', () => {
  const { 'stream-position': _, 'commit-timestamp': __, 'transaction-record-id': ___, ...bare } = metadata;

  const load = parseChange(JSON.stringify({ data, metadata: { ...bare, operation: 'load' } })) as Change;

  expect(load).toMatchObject({ operation: 'load', logPosition: '0000000000000000:0000000000' });
  expect(load.commitTime).toBeUndefined();
});

test.each([{ on_hand: null, reserved: null, updated_at: null }, {}])(
  'a delete says its key alone, nulls or not',
  (rest) => {
    const change = parse({ data: { sku: 'SKU-1', location: 'fc-1', ...rest } }, { operation: 'delete' });

    expect(change).toMatchObject({ operation: 'delete', key: ['SKU-1', 'fc-1'], row: {} });
  },
);

test('a column that is missing is not the same as one that is null', () => {
  const change = parse({ data: { sku: 'SKU-1', location: 'fc-1', on_hand: null } }) as Change;

  expect(change.row).toEqual({ sku: 'SKU-1', location: 'fc-1', on_hand: null });
});

test('numbers may come as text, keys as numbers', () => {
  const change = parse({ data: { ...data, sku: 4711, on_hand: '12' } }) as Change;

  expect(change.key).toEqual(['4711', 'fc-1']);
  expect(change.row.on_hand).toBe(12);
});

test('a control record is one, with details or without', () => {
  const control = { ...metadata, 'record-type': 'control', operation: 'create-table', 'schema-name': '' };

  expect(parseChange(JSON.stringify({ control: {}, metadata: control }))).toEqual({ control: 'create-table' });
  expect(parseChange(JSON.stringify({ metadata: control }))).toEqual({ control: 'create-table' });
});

test.each([
  [
    'a number that DMS has rounded',
    { data: { ...data, on_hand: 1.2345678901234568e17 } },
    {},
    /^on_hand: not a integer$/,
  ],
  ['a key that DMS has rounded', { data: { ...data, sku: 1.2345678901234568e17 } }, {}, /^key/],
  ['a key with the separator of keys', { data: { ...data, sku: 'a#b' } }, {}, /^key/],
  ['no place in the log', {}, { 'stream-position': 'mysql-bin-changelog.002171:36912271' }, /^stream-position/],
  ['a table of nobody', {}, { 'table-name': 'prices' }, /^table-name/],
  ['a database of nobody', {}, { 'schema-name': 'public' }, /^schema-name/],
  ['an operation of nobody', {}, { operation: 'merge' }, /^operation/],
])('%s is a reason, and shows no contents', (_, record, more, reason) => {
  const result = parse(record, more) as { reason: string };

  expect(result.reason).toMatch(reason);
  expect(result.reason).not.toContain('1.23');
});

test.each([
  ['skus', { sku: 'A', status: 'retired' }, 'status: not one of active, paused, discontinued'],
  // A boolean for a status: DMS writes it as a letter.
  ['skus', { sku: 'A', status: 't' }, 'status: not one of active, paused, discontinued'],
  ['fulfillment_centers', { fc_id: 'F', time_zone: 'Europe/Nowhere' }, 'time_zone: not a zone'],
  ['fulfillment_centers', { fc_id: 'F', cutoff: '25:00' }, 'cutoff: not a time'],
])('a value of %s that means nothing is held, with what it is about', (table, row, reason) => {
  const key = Object.values(row).slice(0, 1);

  expect(parse({ data: row }, { 'table-name': table })).toMatchObject({ reason, database: 'inventory', table, key });
});

test.each(['{', '3', 'null', '{"data":{}}'])('%s is no record', (text) => {
  expect(parseChange(text)).toHaveProperty('reason');
});

test('positions sort by epoch, then by log, and a sweep lies between the epochs', () => {
  const at = (epoch: number, lsn: string, index = 1) =>
    positionOf(epoch, parse({}, { 'stream-position': `${lsn}.3.${lsn}`, 'transaction-record-id': index }) as Change);
  const sorted = [
    at(1, '0/9'),
    at(1, '0/10'),
    at(1, '0/10', 2),
    at(1, '0/10', 10),
    at(1, '1/0'),
    sweptPosition(2),
    positionOf(2, parse({}, { operation: 'load' }) as Change),
    at(2, '0/1'),
    at(10, '0/1'),
  ];

  expect([...sorted].reverse().sort()).toEqual(sorted);
});
