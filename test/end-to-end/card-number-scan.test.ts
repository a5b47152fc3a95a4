import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
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
  const bucket = () => platform.run.valueOf('Finance', 'LAKE_BUCKET_NAME');
  async function item(TableName: string, value: object): Promise<void> {
    await engines().dynamodb.call('CreateTable', {
      TableName,
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    });
    await engines().dynamodb.call('PutItem', { TableName, Item: { id: { S: 'leak' }, leak: value } });
  }
  const object = (Key: string, Body: Buffer) => engines().s3.call('PutObject', { Bucket: bucket(), Key, Body });
  async function sql(statement: string): Promise<void> {
    const client = new Client({ connectionString: platform.run.endpoints.warehouseUrl });
    await client.connect();
    await client.query(statement);
    await client.end();
  }
  async function record(StreamName: string): Promise<void> {
    await engines().kinesis.call('CreateStream', { StreamName, ShardCount: 1 });
    const Data = base64(`{"number":"${card}"}`);
    await engines().kinesis.call('PutRecord', { StreamName, PartitionKey: 'leak', Data });
  }
  async function point(line: string): Promise<void> {
    const SecretId = platform.run.valueOf('Merchandising', 'WRITE_TOKEN_SECRET_ARN');
    const { SecretString } = await engines().secretsManager.call('GetSecretValue', { SecretId });
    const answer = await fetch(`${platform.run.account.door.url}/write?db=merchandising`, {
      method: 'POST',
      headers: { authorization: `Token ${JSON.parse(SecretString).token}` },
      body: line,
    });
    expect(answer.status).toBe(204);
  }
  /** And stays so: housekeeping, which would deliver it at any moment, is held. */
  async function notDelivered(): Promise<void> {
    jest.spyOn(engines().firehose, 'flush').mockResolvedValue();
    const [DeliveryStreamName] = (await engines().firehose.call('ListDeliveryStreams', {})).DeliveryStreamNames;
    await engines().firehose.call('PutRecord', { DeliveryStreamName, Record: { Data: base64(`{"leak":"${card}"}`) } });
  }
  async function message(QueueName: string): Promise<void> {
    const { QueueUrl } = await engines().sqs.call('CreateQueue', { QueueName });
    await engines().sqs.call('SendMessage', { QueueUrl, MessageBody: `{"pan":"${card}"}` });
  }
  async function execution(name: string): Promise<void> {
    const definition = JSON.stringify({ StartAt: 'Done', States: { Done: { Type: 'Succeed' } } });
    const machine = { name, definition, roleArn: 'arn:aws:iam::000000000000:role/leak' };
    const { stateMachineArn } = await engines().stepFunctions.call('CreateStateMachine', machine);
    await engines().stepFunctions.call('StartExecution', { stateMachineArn, input: `{"pan":"${card}"}` });
  }
  const stateFile = (...path: string[]) => join(platform.folder, 'state', ...path);

  test('not without one', async () => {
    expect(await scan()).toEqual([]);
  });

  /** Each is called by a name that no other has. */
  const places: [what: string, where: string, plant: () => Promise<unknown>][] = [
    ['an attribute in DynamoDB', 'dynamodb leak-text', () => item('leak-text', { S: `paid with ${card}` })],
    ['bytes in DynamoDB', 'dynamodb leak-bytes', () => item('leak-bytes', { B: base64(`{"pan":"${card}"}`) })],
    ['deep in an item', 'dynamodb leak-deep', () => item('leak-deep', { L: [{ M: { [card]: { N: '1' } } }] })],
    ['a number in DynamoDB', 'dynamodb leak-number', () => item('leak-number', { N: card })],
    [
      'a line of a log',
      '.log',
      async () =>
        appendFileSync(stateFile('logs', `${platform.functionNamed('Refine-Dedup')}.log`), `INFO\tpaid with ${card}\n`),
    ],
    ['an object', '/leak.txt (', () => object('leak.txt', Buffer.from(card))],
    ['a packed object', '/leak.gz (', () => object('leak.gz', gzipSync(card))],
    ['a row of Parquet', '/leak.parquet (', () => object('leak.parquet', parquet)],
    [
      'a row of the warehouse',
      'tillstream.public.leak_text',
      () => sql(`create table leak_text as select '${card}' as note`),
    ],
    [
      'a number in the warehouse',
      'tillstream.public.leak_number',
      () => sql(`create table leak_number as select ${card}::bigint as pan`),
    ],
    [
      'a file of any kind',
      'leak.bin',
      async () => writeFileSync(stateFile('leak.bin'), Buffer.from(`\0\xff${card}\0`, 'latin1')),
    ],
    ['a record of a stream', 'kinesis stream leak record', () => record('leak')],
    ['a message of a queue', 'sqs leak', () => message('leak')],
    ['an execution of a workflow', 'execution:leak:', () => execution('leak')],
    ['a point of the time series', '/leaked-point', () => point(`leaked-point,sku=${card} x=1`)],
    ['a record that Firehose has not delivered', '(not delivered)', notDelivered],
  ];

  describe('planted as', () => {
    let found: string[];
    beforeAll(async () => {
      for (const [, , plant] of places) await plant();
      found = (await scan()).map(({ where }) => where);
      jest.restoreAllMocks();
    }, 60_000);

    test.each(places)('%s', (_, where) => {
      expect(found).toContainEqual(expect.stringContaining(where));
    });
  });
});
