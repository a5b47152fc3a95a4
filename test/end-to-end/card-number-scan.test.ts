import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { Client } from 'pg';
import { scanForCardNumbers } from '../../local/report';
import { RunningPlatform } from './running';
import { makeSale } from './sales';

const card = '4111111111111111';
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Whatever a defect might write somewhere is planted there by hand: the scan must see it in each place. */
describe('a card number outside the vault is found', () => {
  let platform: RunningPlatform;
  let parquet: Buffer;

  beforeAll(async () => {
    platform = await RunningPlatform.start();
    await platform.send(Array.from({ length: 20 }, (_, number) => makeSale(number + 1)));
    await platform.run.drain();

    const file = join(platform.folder, 'leak.parquet');
    const duckdb = await DuckDBInstance.create(':memory:');
    const connection = await duckdb.connect();
    await connection.run(`copy (select '${card}' as note, 1 as line) to '${file}' (format parquet, compression zstd)`);
    connection.closeSync();
    duckdb.closeSync();
    parquet = readFileSync(file);
  }, 120_000);

  afterAll(() => platform?.stop());

  const scan = () => scanForCardNumbers(platform.run, new Set([card]));
  const engines = () => platform.run.account.engines;
  const table = () => platform.run.valueOf('Refine', 'CLAIMS_TABLE_NAME');
  const stream = () => platform.run.valueOf('Refine', 'SALES_STREAM_NAME');
  const bucket = () => platform.run.valueOf('Finance', 'LAKE_BUCKET_NAME');
  const item = (value: object) =>
    engines().dynamodb.call('PutItem', { TableName: table(), Item: { id: { S: 'leak' }, leak: value } });
  const removeItem = () => engines().dynamodb.call('DeleteItem', { TableName: table(), Key: { id: { S: 'leak' } } });
  const object = (Key: string, Body: Buffer) => engines().s3.call('PutObject', { Bucket: bucket(), Key, Body });
  const sql = async (statement: string) => {
    const client = new Client({ connectionString: platform.run.endpoints.warehouseUrl });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  const logFile = () => join(platform.folder, 'state', 'logs', `${platform.functionNamed('Refine-Dedup')}.log`);

  test('not without one', async () => {
    expect(await scan()).toEqual([]);
  });

  const places: [string, string, () => Promise<unknown>, () => Promise<unknown>][] = [
    ['an attribute in DynamoDB', 'dynamodb', () => item({ S: `paid with ${card}` }), removeItem],
    ['bytes in DynamoDB', 'dynamodb', () => item({ B: base64(`{"pan":"${card}"}`) }), removeItem],
    ['deep in an item', 'dynamodb', () => item({ L: [{ M: { [card]: { N: '1' } } }] }), removeItem],
    ['a number in DynamoDB', 'dynamodb', () => item({ N: card }), removeItem],
    [
      'a line of a log',
      '.log',
      async () => appendFileSync(logFile(), `INFO\tpaid with ${card}\n`),
      async () => writeFileSync(logFile(), ''),
    ],
    ['an object', 's3', () => object('leak.txt', Buffer.from(card)), () => object('leak.txt', Buffer.from('-'))],
    ['a packed object', 's3', () => object('leak.gz', gzipSync(card)), () => object('leak.gz', gzipSync('-'))],
    ['a row of Parquet', 's3', () => object('leak.parquet', parquet), () => object('leak.parquet', Buffer.from('-'))],
    [
      'a row of the warehouse',
      'tillstream.public.leak',
      () => sql(`create table leak as select '${card}' as note`),
      () => sql('drop table leak'),
    ],
    [
      'a number in the warehouse',
      'tillstream.public.leak',
      () => sql(`create table leak as select ${card}::bigint as pan`),
      () => sql('drop table leak'),
    ],
    [
      'a file of any kind',
      'leak.bin',
      async () => writeFileSync(join(platform.folder, 'state', 'leak.bin'), Buffer.from(`\0\xff${card}\0`, 'latin1')),
      async () => rmSync(join(platform.folder, 'state', 'leak.bin')),
    ],
  ];
  test.each(places)('%s', async (_, where, plant, remove) => {
    await plant();
    const found = await scan();
    await remove();

    expect(found.map((finding) => finding.where.toLowerCase())).toContainEqual(expect.stringContaining(where));
  });

  // What a stream or a time series has taken cannot be taken out again, so these come last.
  test('a record of a stream', async () => {
    await engines().kinesis.call('PutRecord', {
      StreamName: stream(),
      PartitionKey: 'leak',
      Data: base64(`{"number":"${card}"}`),
    });

    expect((await scan()).map(({ where }) => where)).toContainEqual(expect.stringContaining('kinesis'));
  });

  test('a point of the time series', async () => {
    const { account } = platform.run;
    const token = JSON.parse(
      (
        await account.engines.secretsManager.call('GetSecretValue', {
          SecretId: platform.run.valueOf('Merchandising', 'WRITE_TOKEN_SECRET_ARN'),
        })
      ).SecretString,
    ).token;
    const answer = await fetch(`${account.door.url}/write?db=merchandising`, {
      method: 'POST',
      headers: { authorization: `Token ${token}` },
      body: `leak,sku=${card} x=1`,
    });

    expect(answer.status).toBe(204);
    expect((await scan()).map(({ where }) => where)).toContainEqual(expect.stringContaining('merch'));
  });

  test('a record that Firehose has not delivered', async () => {
    const [DeliveryStreamName] = (await engines().firehose.call('ListDeliveryStreams', {})).DeliveryStreamNames;
    await engines().firehose.call('PutRecord', { DeliveryStreamName, Record: { Data: base64(`{"leak":"${card}"}`) } });

    expect((await scan()).map(({ where }) => where)).toContainEqual(expect.stringContaining('firehose'));
  });
});
