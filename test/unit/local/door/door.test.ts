import { request } from 'node:http';
import {
  type AttributeValue,
  BatchExecuteStatementCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { FirehoseClient, PutRecordBatchCommand } from '@aws-sdk/client-firehose';
import { GetRecordsCommand, KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { ExecuteStatementCommand, RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { GetCredentialsCommand, RedshiftServerlessClient } from '@aws-sdk/client-redshift-serverless';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Door } from '../../../../local/door/door';
import { roleSession } from '../../../../local/door/principal';
import { AwsError } from '../../../../local/engines/engine';
import { administratorOf, allow, fakeEngine, functionOf, openTestDoor } from './test-door';

let door: Door;
const clients: { destroy(): void }[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await door.close();
});

function keep<Client extends { destroy(): void }>(client: Client): Client {
  clients.push(client);
  return client;
}

test('DynamoDB, through the SDK', async () => {
  const Item: Record<string, AttributeValue> = { k: { S: 'a' }, n: { N: '1' }, b: { B: new Uint8Array([1, 2]) } };
  const engine = fakeEngine('dynamodb', (_operation, { Key }) => ({ Item: { ...Key, b: { B: 'AQI=' } } }));
  door = await openTestDoor([engine]);
  const client = keep(new DynamoDBClient(administratorOf(door)));

  await client.send(new PutItemCommand({ TableName: 'claims', Item }));
  const answer = await client.send(new GetItemCommand({ TableName: 'claims', Key: { k: { S: 'a' } } }));

  expect(engine.calls[0]).toEqual({
    operation: 'PutItem',
    input: { TableName: 'claims', Item: { k: { S: 'a' }, n: { N: '1' }, b: { B: 'AQI=' } } },
  });
  expect(answer.Item).toEqual({ k: { S: 'a' }, b: { B: new Uint8Array([1, 2]) } });
});

test('errors reach the SDK with their name, message and fields', async () => {
  const engine = fakeEngine('dynamodb', () => {
    throw new AwsError('ConditionalCheckFailedException', 'The conditional request failed', 400, {
      Item: { k: { S: 'a' } },
    });
  });
  door = await openTestDoor([engine]);
  const client = keep(new DynamoDBClient(administratorOf(door)));

  const error = await client.send(new PutItemCommand({ TableName: 'claims', Item: {} })).catch((thrown) => thrown);

  expect(error).toMatchObject({
    name: 'ConditionalCheckFailedException',
    message: 'The conditional request failed',
    Item: { k: { S: 'a' } },
    $metadata: { httpStatusCode: 400, requestId: expect.any(String) },
  });
});

test.each([
  ['HTTP/2, as its client does by default', () => ({})],
  ['HTTP/1.1', () => ({ requestHandler: new NodeHttpHandler() })],
])('Kinesis, through the SDK, over %s', async (_protocol, handler) => {
  const engine = fakeEngine('kinesis', (operation) =>
    operation === 'PutRecords'
      ? { FailedRecordCount: 0, Records: [{ SequenceNumber: '1', ShardId: 'shardId-000000000000' }] }
      : {
          Records: [{ Data: 'aGk=', PartitionKey: 'p', SequenceNumber: '1', ApproximateArrivalTimestamp: 1.5 }],
          MillisBehindLatest: 0,
        },
  );
  door = await openTestDoor([engine]);
  const client = keep(new KinesisClient({ ...administratorOf(door), ...handler() }));

  const put = await client.send(
    new PutRecordsCommand({ StreamName: 'sales', Records: [{ Data: Buffer.from('hi'), PartitionKey: 'p' }] }),
  );
  const got = await client.send(new GetRecordsCommand({ ShardIterator: 'i' }));

  expect(engine.calls[0]!.input).toEqual({ StreamName: 'sales', Records: [{ Data: 'aGk=', PartitionKey: 'p' }] });
  expect(put.Records).toEqual([{ SequenceNumber: '1', ShardId: 'shardId-000000000000' }]);
  expect(Buffer.from(got.Records![0]!.Data!).toString()).toBe('hi');
  expect(got.Records![0]!.ApproximateArrivalTimestamp).toEqual(new Date(1500));
});

test('KMS, Firehose, Secrets Manager and Redshift, through the SDK', async () => {
  const engines = {
    kms: fakeEngine('kms', () => ({ KeyId: 'k', Plaintext: 'AQI=', CiphertextBlob: 'AwQ=' })),
    firehose: fakeEngine('firehose', () => ({ FailedPutCount: 0, RequestResponses: [{ RecordId: '1' }] })),
    secrets: fakeEngine('secretsmanager', () => ({ SecretString: '{"token":"t"}', CreatedDate: 1 })),
    warehouse: fakeEngine('redshift-data', () => ({ Id: 'statement' })),
    workgroups: fakeEngine('redshift-serverless', () => ({ dbUser: 'IAMR:x' })),
  };
  door = await openTestDoor(Object.values(engines));
  const options = administratorOf(door);

  const key = await keep(new KMSClient(options)).send(
    new GenerateDataKeyCommand({ KeyId: 'k', KeySpec: 'AES_256', EncryptionContext: { purpose: 'index' } }),
  );
  const delivery = await keep(new FirehoseClient(options)).send(
    new PutRecordBatchCommand({ DeliveryStreamName: 'lines', Records: [{ Data: Buffer.from('hi') }] }),
  );
  const secret = await keep(new SecretsManagerClient(options)).send(new GetSecretValueCommand({ SecretId: 's' }));
  const statement = await keep(new RedshiftDataClient(options)).send(
    new ExecuteStatementCommand({ WorkgroupName: 'finance', Database: 'd', Sql: 'select 1' }),
  );
  const login = await keep(new RedshiftServerlessClient(options)).send(
    new GetCredentialsCommand({ workgroupName: 'finance' }),
  );

  expect([...key.Plaintext!]).toEqual([1, 2]);
  expect(engines.kms.calls[0]!.input.EncryptionContext).toEqual({ purpose: 'index' });
  expect(delivery.RequestResponses).toEqual([{ RecordId: '1' }]);
  expect(engines.firehose.calls[0]!.input.Records).toEqual([{ Data: 'aGk=' }]);
  expect(secret.SecretString).toBe('{"token":"t"}');
  expect(statement.Id).toBe('statement');
  expect(login.dbUser).toBe('IAMR:x');
});

test('an engine that asks for its caller is told the role', async () => {
  const callers: string[] = [];
  const callAs = async (arn: string) => void callers.push(arn);
  door = await openTestDoor([{ ...fakeEngine('redshift-data'), callAs } as any]);
  door.registerRole('load-role', []);

  await door.call(
    { ...roleSession('load-role', 'load'), administrator: true },
    'redshift-data',
    'ExecuteStatement',
    {},
  );

  expect(callers).toEqual(['arn:aws:iam::000000000000:role/load-role']);
});

test('a function is refused what its role does not allow, and the engine never hears of it', async () => {
  const engine = fakeEngine('dynamodb');
  door = await openTestDoor([engine]);
  const claims = 'arn:aws:dynamodb:eu-west-1:000000000000:table/claims';
  const client = keep(new DynamoDBClient(functionOf(door, 'dedup', allow('dynamodb:GetItem', claims))));
  const Item = { k: { S: 'a' } };

  await client.send(new GetItemCommand({ TableName: 'claims', Key: Item }));
  const error = await client.send(new PutItemCommand({ TableName: 'claims', Item })).catch((thrown) => thrown);

  expect(error.name).toBe('AccessDeniedException');
  expect(error.message).toContain('assumed-role/dedup-role/dedup is not authorized to perform: dynamodb:PutItem');
  expect(error.message).toContain(claims);
  expect(engine.calls.map(({ operation }) => operation)).toEqual(['GetItem']);
});

test('calls from within the process pass the same rules and are counted for others', async () => {
  const engine = fakeEngine('kinesis');
  door = await openTestDoor([engine]);
  const poller = roleSession('dedup-role', 'event-source');
  const StreamARN = 'arn:aws:kinesis:eu-west-1:000000000000:stream/sales';
  door.registerRole('dedup-role', [{ Statement: allow('kinesis:GetRecords', StreamARN) }]);

  await door.call(poller, 'kinesis', 'GetRecords', { StreamARN });

  await expect(door.call(poller, 'kinesis', 'PutRecords', { StreamARN })).rejects.toThrow(
    /kinesis:PutRecords on resource/,
  );
  expect(door.meter.snapshot().calls).toEqual({ functions: {}, others: { 'kinesis:GetRecords': 1 }, byFunction: {} });
});

test('unknown keys and wrong secrets are refused in the words of AWS', async () => {
  door = await openTestDoor([fakeEngine('dynamodb')]);
  const options = administratorOf(door);
  const get = (credentials: { accessKeyId: string; secretAccessKey: string }) =>
    keep(new DynamoDBClient({ ...options, credentials }))
      .send(new GetItemCommand({ TableName: 'claims', Key: {} }))
      .catch((error) => error.name);

  expect(await get({ ...options.credentials, accessKeyId: 'AKIAUNKNOWN' })).toBe('UnrecognizedClientException');
  expect(await get({ ...options.credentials, secretAccessKey: 'wrong' })).toBe('InvalidSignatureException');
});

test('requests that no service understands get an answer all the same', async () => {
  door = await openTestDoor([]);
  const post = async (headers: Record<string, string>, body = '{}') => {
    const response = await fetch(door.url, { method: 'POST', headers, body });
    return [response.status, ((await response.json()) as any).__type];
  };

  expect(await post({ 'x-amz-target': 'DynamoDB_20120810.GetItem' })).toEqual([
    400,
    'MissingAuthenticationTokenException',
  ]);
  expect(await post({ 'x-amz-target': 'AmazonSNS.Publish' })).toEqual([400, 'UnknownOperationException']);
});

test('a body above 16 MB is refused', async () => {
  door = await openTestDoor([fakeEngine('dynamodb')]);

  const response = await fetch(door.url, { method: 'POST', body: Buffer.alloc(16 * 1024 * 1024 + 1) });

  expect(response.status).toBe(413);
});

test('a killed function sees its connection cut, and the call counted as armed', async () => {
  const killed: string[] = [];
  const engine = fakeEngine('dynamodb', () => ({ Responses: [] }));
  door = await openTestDoor([engine], { kill: (name) => void killed.push(name) });
  const client = keep(new DynamoDBClient(functionOf(door, 'dedup', allow('dynamodb:PartiQLInsert', '*'))));
  const claim = () =>
    client
      .send(new BatchExecuteStatementCommand({ Statements: [{ Statement: `INSERT INTO "claims" VALUE {'k': 'a'}` }] }))
      .then(
        () => 'answered',
        (error) => error.message,
      );
  const operation = 'dynamodb:BatchExecuteStatement';
  door.faults.arm({ function: 'dedup', operation, call: 2, when: 'after', action: 'kill' });

  expect([await claim(), await claim(), await claim()]).toEqual([
    'answered',
    expect.stringContaining('socket hang up'),
    'answered',
  ]);

  expect(killed).toEqual(['dedup']);
  expect(engine.calls).toHaveLength(3);
});

test('a function is invoked through the SDK, and its failure is a result', async () => {
  const invoked: unknown[] = [];
  door = await openTestDoor([], {
    invoke: async (name, event) => {
      invoked.push([name, event]);
      if (name === 'absent') throw new AwsError('ResourceNotFoundException', `Function not found: ${name}`, 404);
      if (name === 'broken') return { payload: '{"errorMessage":"no"}', functionError: 'Unhandled' };
      return { payload: '{"done":true}' };
    },
  });
  const client = keep(new LambdaClient(administratorOf(door)));
  const invoke = (FunctionName: string) => client.send(new InvokeCommand({ FunctionName, Payload: '{"Records":[]}' }));

  const answer = await invoke('dedup');
  const failure = await invoke('arn:aws:lambda:eu-west-1:000000000000:function:broken');
  const absence = await invoke('absent').catch((error) => error);

  expect(invoked[0]).toEqual(['dedup', { Records: [] }]);
  expect(JSON.parse(answer.Payload!.transformToString())).toEqual({ done: true });
  expect([failure.FunctionError, failure.Payload!.transformToString()]).toEqual(['Unhandled', '{"errorMessage":"no"}']);
  expect([absence.name, absence.message]).toEqual(['ResourceNotFoundException', 'Function not found: absent']);
});

test('a function may only invoke what its role allows', async () => {
  door = await openTestDoor([]);
  const client = keep(
    new LambdaClient(functionOf(door, 'redrive', allow('lambda:InvokeFunction', 'arn:aws:lambda:*:*:function:dedup'))),
  );

  await client.send(new InvokeCommand({ FunctionName: 'dedup' }));
  const error = await client.send(new InvokeCommand({ FunctionName: 'lake' })).catch((thrown) => thrown);

  expect([error.name, error.message]).toEqual([
    'AccessDeniedException',
    expect.stringContaining('lambda:InvokeFunction on resource: arn:aws:lambda:eu-west-1:000000000000:function:lake'),
  ]);
});

test('requests to InfluxDB are counted for the function that they name, and can be made to fail', async () => {
  const handled: string[] = [];
  const influx = {
    async handle({ method, path, query, body }: any) {
      handled.push(`${method} ${path}?${query} ${body}`);
      return { statusCode: 204, headers: {}, body: '' };
    },
  };
  door = await openTestDoor([], { influx });
  const write = (headers: Record<string, string> = {}) =>
    fetch(`${door.url}/write?db=sales`, {
      ...{ method: 'POST', body: 'm v=1' },
      headers: { authorization: 'Token t', ...headers },
    });
  door.faults.arm({ function: 'points', operation: 'influxdb:write', call: 2, when: 'before', action: 'throttle' });

  const statuses = [
    (await write({ 'x-tillstream-function': 'points' })).status,
    (await write({ 'x-tillstream-function': 'points' })).status,
    (await write()).status,
  ];
  await fetch(`${door.url}/query?q=x`);
  await fetch(`${door.url}/api/v2/buckets`);

  expect(statuses).toEqual([204, 429, 204]);
  expect(handled.slice(0, 2)).toEqual(['POST /write?db=sales m v=1', 'POST /write?db=sales m v=1']);
  expect(door.meter.snapshot().calls).toEqual({
    functions: { 'influxdb:write': 2 },
    others: { 'influxdb:write': 1, 'influxdb:query': 1, 'influxdb:api': 1 },
    byFunction: { points: { 'influxdb:write': 2 } },
  });
});

describe('the control API', () => {
  const send = async (path: string, method: string, body?: unknown, headers: Record<string, string> = {}) => {
    const { hostname, port } = new URL(door.url);
    return new Promise<{ status: number; body: any }>((resolve, reject) => {
      const sent = request(
        { hostname, port, path: `/_control/${path}`, method, headers, agent: false },
        async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          resolve({ status: response.statusCode!, body: JSON.parse(text) });
        },
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  };
  const fault = { function: 'dedup', operation: '*', call: 1, when: 'before', action: 'kill' };

  test('arms, lists and clears faults', async () => {
    door = await openTestDoor([]);
    functionOf(door, 'dedup');

    const armed = await send('faults', 'POST', fault);
    const wrong = await send('faults', 'POST', { ...fault, call: 0 });
    const listed = await send('faults', 'GET');
    const cleared = await send('faults', 'DELETE');

    expect(armed).toEqual({ status: 200, body: { ...fault, id: 1, seen: 0, fired: 0 } });
    expect(wrong).toEqual({ status: 400, body: { error: "call '0' is not allowed: use a whole number from 1" } });
    expect(listed.body.faults).toHaveLength(1);
    expect(cleared.body).toEqual({ faults: [] });
    expect(door.faults.list()).toEqual([]);
  });

  test('kills functions and tells what was counted', async () => {
    const killed: string[] = [];
    door = await openTestDoor([fakeEngine('kms')], { kill: (name) => void killed.push(name) });
    functionOf(door, 'dedup');
    await door.call({ arn: 'operator', administrator: true }, 'kms', 'Decrypt', {});

    const kill = await send('kill', 'POST', { function: 'dedup' });
    const counted = await send('calls', 'GET');

    expect([kill.status, killed]).toEqual([200, ['dedup']]);
    expect(counted.body.calls.others).toEqual({ 'kms:Decrypt': 1 });
    expect((await send('kill', 'POST', {})).status).toBe(400);
    expect((await send('nothing', 'GET')).status).toBe(404);
  });

  test('takes a part of a name that only one function has', async () => {
    door = await openTestDoor([]);
    for (const name of ['Refine-DedupFunction1A', 'Lake-WriterFunction2B', 'Lake-Writer']) functionOf(door, name);
    const armedFor = async (part: unknown) => {
      const { status, body } = await send('faults', 'POST', { ...fault, function: part });
      return status === 200 ? body.function : body.error;
    };

    expect((await send('functions', 'GET')).body.functions).toEqual([
      'Refine-DedupFunction1A',
      'Lake-WriterFunction2B',
      'Lake-Writer',
    ]);
    expect(await armedFor('Dedup')).toBe('Refine-DedupFunction1A');
    expect(await armedFor('Lake-Writer')).toBe('Lake-Writer');
    expect(await armedFor('Lake')).toContain("function 'Lake' is a part of several names: use one of Lake-Writer");
    expect(await armedFor('Finance')).toContain("function 'Finance' is unknown: use one of Refine-DedupFunction1A, ");
    expect(await armedFor('')).toContain("function '' is unknown");
    expect(await armedFor(undefined)).toContain("function 'undefined' is unknown");
  });

  test('cannot be reached by a page in a browser', async () => {
    door = await openTestDoor([]);
    functionOf(door, 'dedup');

    const fromPage = await send('faults', 'POST', fault, { origin: 'http://127.0.0.1:8080' });
    const byName = await send('faults', 'POST', fault, { host: 'evil.example' });
    const byLocalName = await send('faults', 'GET', undefined, { host: 'localhost:1' });

    expect([fromPage.status, byName.status, byLocalName.status]).toEqual([403, 403, 200]);
    expect(door.faults.list()).toEqual([]);
  });
});
