import { BinTable } from '../../../lambdas/cardholder/ingest/bin-table';

const table = new BinTable('prefix,country,funding\n411111,US,credit\n4111,GB,\n41111122,,prepaid\r\n5555,DE,debit\n');

test('the longest prefix that fits says country and funding', () => {
  expect(table.issuerOf('41111111')).toEqual({ country: 'US', funding: 'credit' });
  expect(table.issuerOf('41119999')).toEqual({ country: 'GB' });
  expect(table.issuerOf('41111122')).toEqual({ funding: 'prepaid' });
});

test('what is not known is left out', () => {
  expect(table.issuerOf('30569309')).toEqual({});
});

test('where there is no file, nothing is known', () => {
  expect(BinTable.read('nowhere.csv').issuerOf('41111111')).toEqual({});
  expect(BinTable.read(undefined).issuerOf('41111111')).toEqual({});
});

test.each([
  ['another header', 'bin,country,funding\n', "starts with 'bin,country,funding'"],
  ['a short prefix', 'prefix,country,funding\n411,US,\n', 'line 2 of the BIN table'],
  ['a country in words', 'prefix,country,funding\n4111,US,\n5555,Germany,\n', 'line 3 of the BIN table'],
  ['an unknown funding', 'prefix,country,funding\n4111,US,gold\n', 'line 2 of the BIN table'],
])('a table with %s is refused, with the line', (_, csv, message) => {
  expect(() => new BinTable(csv)).toThrow(message);
});
