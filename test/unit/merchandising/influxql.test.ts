import { influxQl } from '../../../lambdas/serve/merchandising/influxdb/influxql';

const between = { from: 1_000 * 60_000, to: 2_000 * 60_000 };

test('a question as InfluxQL, with windows that begin with it', () => {
  const text = influxQl({
    columns: [{ call: 'SUM', field: 'net', as: 'net' }],
    from: 'sales',
    between,
    where: { region: ['eu-west', 'eu-north'] },
    by: ['currency'],
    everyMinutes: 1_440,
    seriesLimit: 10,
  });

  expect(text).toBe(
    `SELECT SUM("net") AS "net" FROM "sales" WHERE time >= 60000000ms AND time < 120000000ms AND ("region" = 'eu-west' OR "region" = 'eu-north') GROUP BY "currency", time(1440m, 1000m) fill(none) SLIMIT 10`,
  );
});

test('a ranking of sums is a question of a question', () => {
  const text = influxQl({
    columns: [{ call: 'TOP', field: 'net', of: { tag: 'sku', limit: 10 } }],
    from: { columns: [{ call: 'SUM', field: 'net', as: 'net' }], from: 'items', between, by: ['sku'] },
    between,
  });

  expect(text).toBe(
    `SELECT TOP("net", "sku", 10) FROM (SELECT SUM("net") AS "net" FROM "items" WHERE time >= 60000000ms AND time < 120000000ms GROUP BY "sku") WHERE time >= 60000000ms AND time < 120000000ms`,
  );
});

test('names and texts stay names and texts', () => {
  const text = influxQl({
    columns: [{ call: 'SUM', field: 'a"b\\' }],
    from: 'sales"; DROP DATABASE x --',
    between,
    where: { region: ["' OR 1=1 --\n\\"] },
  });

  expect(text).toBe(
    `SELECT SUM("a\\"b\\\\") FROM "sales\\"; DROP DATABASE x --" WHERE time >= 60000000ms AND time < 120000000ms AND ("region" = '\\' OR 1=1 --\\n\\\\')`,
  );
});

test('what is no whole number, or chooses nothing, is no question', () => {
  const columns = [{ call: 'SUM', field: 'net' }] as const;

  expect(() => influxQl({ columns, from: 'sales', between: { from: 0.5, to: 1 } })).toThrow('got 0.5');
  expect(() => influxQl({ columns, from: 'sales', between, where: { region: [] } })).toThrow('region');
});
