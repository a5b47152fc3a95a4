import { ConnectionCut, type Fault, Faults } from '../../../../local/door/faults';
import { roleSession } from '../../../../local/door/principal';

const dedup = roleSession('dedup-role', 'dedup', 'dedup');

function fault(given: Partial<Fault>): Fault {
  return { function: 'dedup', operation: '*', call: 1, when: 'before', action: 'error', ...given };
}

/** Faults in front of an engine that answers with what `answer` says, and keeps what it was given. */
function armed(answer: (input: any) => unknown, ...given: readonly Fault[]) {
  const killed: string[] = [];
  const inputs: any[] = [];
  const faults = new Faults((name) => void killed.push(name));
  for (const one of given) faults.arm(one);
  const run = async (input: any) => {
    inputs.push(input);
    return answer(input);
  };
  return {
    ...{ faults, killed, inputs },
    call: (service: string, operation: string, input: unknown = {}, caller = dedup) =>
      faults.around(caller, service, operation, input, run),
  };
}

/** What comes of a call: its answer, or the name of its error. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: Error) => error.name);
}

test('only the chosen call of the chosen function and operation fails', async () => {
  const { call, inputs } = armed(() => 'done', fault({ operation: 'kms:Decrypt', call: 2 }));
  const other = roleSession('lake-role', 'lake', 'lake');

  const outcomes = [
    await outcome(call('kms', 'Decrypt')),
    await outcome(call('kms', 'Encrypt')),
    await outcome(call('kms', 'Decrypt', {}, other)),
    await outcome(call('kms', 'Decrypt', {}, roleSession('dedup-role', 'poller'))),
    await outcome(call('kms', 'Decrypt')),
    await outcome(call('kms', 'Decrypt')),
  ];

  expect(outcomes).toEqual(['done', 'done', 'done', 'done', 'KMSInternalException', 'done']);
  expect(inputs).toHaveLength(5);
});

test('a star counts every call of the function', async () => {
  const { call } = armed(() => 'done', fault({ call: 3 }));

  const outcomes = [
    await outcome(call('kms', 'Decrypt')),
    await outcome(call('dynamodb', 'GetItem')),
    await outcome(call('kinesis', 'PutRecords')),
  ];

  expect(outcomes).toEqual(['done', 'done', 'InternalFailureException']);
});

test('a fault can last for several calls', async () => {
  const { call, faults } = armed(() => 'done', fault({ call: 2, times: 2, action: 'throttle' }));

  const outcomes = [];
  for (let at = 0; at < 4; at++) outcomes.push(await outcome(call('dynamodb', 'PutItem')));

  const throttled = 'ProvisionedThroughputExceededException';
  expect(outcomes).toEqual(['done', throttled, throttled, 'done']);
  expect(faults.list()).toMatchObject([{ seen: 4, fired: 2 }]);
});

test('killed before a call: it is not executed, the workers end, the connection is cut', async () => {
  const { call, inputs, killed } = armed(() => 'done', fault({ action: 'kill' }));

  await expect(call('kinesis', 'PutRecords')).rejects.toThrow(ConnectionCut);

  expect(inputs).toHaveLength(0);
  expect(killed).toEqual(['dedup']);
});

test('killed after a call: it is executed, whatever comes of it, and nobody learns of it', async () => {
  const { call, inputs, killed } = armed(
    () => {
      throw new Error('refused');
    },
    fault({ action: 'kill', when: 'after' }),
  );

  await expect(call('kinesis', 'PutRecords')).rejects.toThrow(ConnectionCut);

  expect(inputs).toHaveLength(1);
  expect(killed).toEqual(['dedup']);
});

test('a call that fails after it was executed has had its effect', async () => {
  const { call, inputs } = armed(() => 'done', fault({ when: 'after' }));

  expect(await outcome(call('dynamodb', 'PutItem'))).toBe('InternalServerError');
  expect(inputs).toHaveLength(1);
});

test.each([
  ['dynamodb', 'ProvisionedThroughputExceededException'],
  ['kinesis', 'ProvisionedThroughputExceededException'],
  ['kms', 'ThrottlingException'],
  ['s3', 'SlowDown'],
  ['firehose', 'ServiceUnavailableException'],
  ['secretsmanager', 'ThrottlingException'],
  ['influxdb', 'too many requests'],
])('%s throttles in its own words', async (service, code) => {
  const { call } = armed(() => 'done', fault({ action: 'throttle' }));

  expect(await outcome(call(service, 'Any'))).toBe(code);
});

test('one throttled statement of a batch fails alone, at its place', async () => {
  const answer = ({ Statements }: any) => ({ Responses: Statements.map((one: string) => ({ Item: one })) });
  const given = fault({ operation: 'dynamodb:BatchExecuteStatement', action: 'throttle', statement: 1 });
  const { call, inputs } = armed(answer, given);

  const output = await call('dynamodb', 'BatchExecuteStatement', { Statements: ['a', 'b', 'c'] });

  expect(output.Responses).toEqual([
    { Item: 'a' },
    { Error: { Code: 'ThrottlingError', Message: expect.any(String) } },
    { Item: 'c' },
  ]);
  expect(inputs).toEqual([{ Statements: ['a', 'c'] }]);
});

test('a statement that is executed and yet reported as throttled stays done', async () => {
  const answer = ({ Statements }: any) => ({ Responses: Statements.map((one: string) => ({ Item: one })) });
  const operation = 'dynamodb:BatchExecuteStatement';
  const { call, inputs } = armed(answer, fault({ operation, action: 'throttle', statement: 1, when: 'after' }));

  const output = await call('dynamodb', 'BatchExecuteStatement', { Statements: ['a', 'b', 'c'] });

  expect(output.Responses.map((one: any) => one.Item ?? one.Error.Code)).toEqual(['a', 'ThrottlingError', 'c']);
  expect(inputs).toEqual([{ Statements: ['a', 'b', 'c'] }]);
});

test('one record of a stream is refused, with the count of failures raised', async () => {
  const answer = ({ Records }: any) => ({
    FailedRecordCount: 0,
    Records: Records.map((SequenceNumber: number) => ({ SequenceNumber })),
  });
  const { call } = armed(answer, fault({ operation: 'kinesis:PutRecords', action: 'throttle', statement: 0 }));

  const output = await call('kinesis', 'PutRecords', { StreamName: 'sales', Records: [7, 8] });

  expect(output).toEqual({
    FailedRecordCount: 1,
    Records: [
      {
        ErrorCode: 'ProvisionedThroughputExceededException',
        ErrorMessage: expect.stringContaining('in stream sales under'),
      },
      { SequenceNumber: 8 },
    ],
  });
});

test('the only record of a delivery is refused without a call of the engine', async () => {
  const { call, inputs } = armed(
    () => ({}),
    fault({ operation: 'firehose:PutRecordBatch', action: 'throttle', statement: 0 }),
  );

  const output = await call('firehose', 'PutRecordBatch', { Records: [{ Data: 'a' }] });

  expect(output).toEqual({
    FailedPutCount: 1,
    RequestResponses: [{ ErrorCode: 'ServiceUnavailableException', ErrorMessage: 'Slow down.' }],
  });
  expect(inputs).toHaveLength(0);
});

test('one key of a batch comes back unprocessed, with the settings of its table', async () => {
  const answer = ({ RequestItems }: any) => ({
    Responses: Object.fromEntries(Object.entries<any>(RequestItems).map(([table, { Keys }]) => [table, Keys])),
    UnprocessedKeys: {},
  });
  const RequestItems = {
    claims: { Keys: [{ k: { S: 'a' } }] },
    vault: { Keys: [{ k: { S: 'b' } }, { k: { S: 'c' } }], ConsistentRead: true },
  };
  const before = fault({ operation: 'dynamodb:BatchGetItem', action: 'throttle', statement: 2 });

  for (const given of [before, { ...before, when: 'after' as const }]) {
    const { call } = armed(answer, given);
    const output = await call('dynamodb', 'BatchGetItem', { RequestItems });

    expect(output).toEqual({
      Responses: { claims: [{ k: { S: 'a' } }], vault: [{ k: { S: 'b' } }] },
      UnprocessedKeys: { vault: { Keys: [{ k: { S: 'c' } }], ConsistentRead: true } },
    });
  }
});

test('the only key of a table leaves the table out of the call', async () => {
  const RequestItems = { claims: { Keys: [{ k: { S: 'a' } }] }, vault: { Keys: [{ k: { S: 'b' } }] } };
  const { call, inputs } = armed(
    () => ({ Responses: {}, UnprocessedKeys: {} }),
    fault({ operation: 'dynamodb:BatchGetItem', action: 'throttle', statement: 0 }),
  );

  await call('dynamodb', 'BatchGetItem', { RequestItems });

  expect(inputs).toEqual([{ RequestItems: { vault: RequestItems.vault } }]);
});

test('one write of a batch comes back unprocessed', async () => {
  const RequestItems = { claims: [{ PutRequest: { Item: 1 } }, { PutRequest: { Item: 2 } }] };
  const { call, inputs } = armed(
    () => ({ UnprocessedItems: {} }),
    fault({ operation: 'dynamodb:BatchWriteItem', action: 'throttle', statement: 0 }),
  );

  const output = await call('dynamodb', 'BatchWriteItem', { RequestItems });

  expect(output).toEqual({ UnprocessedItems: { claims: [{ PutRequest: { Item: 1 } }] } });
  expect(inputs).toEqual([{ RequestItems: { claims: [{ PutRequest: { Item: 2 } }] } }]);
});

test('a part that the batch does not have leaves the batch alone', async () => {
  const { call } = armed(
    () => ({ Responses: [1] }),
    fault({ operation: 'dynamodb:BatchExecuteStatement', action: 'throttle', statement: 5 }),
  );

  expect(await call('dynamodb', 'BatchExecuteStatement', { Statements: ['a'] })).toEqual({ Responses: [1] });
});

test('cleared faults do nothing', async () => {
  const { call, faults } = armed(() => 'done', fault({ times: 10 }));

  faults.clear();

  expect(await outcome(call('kms', 'Decrypt'))).toBe('done');
  expect(faults.list()).toEqual([]);
});

test.each([
  [{ function: '' }, /function '' is not allowed/],
  [{ operation: 'Decrypt' }, /operation 'Decrypt' is not allowed/],
  [{ call: 0 }, /call '0' is not allowed/],
  [{ when: 'during' }, /use before or after/],
  [{ action: 'explode' }, /use kill, throttle or error/],
  [{ times: 0.5 }, /times '0.5'/],
  [{ statement: 1, operation: 'kms:Decrypt' }, /statement is only for/],
  [{ statement: -1, operation: 'kinesis:PutRecords' }, /statement '-1'/],
  [{ nth: 1 }, /member 'nth' is unknown/],
])('a fault with %j is not armed', (given, message) => {
  const { faults } = armed(() => 'done');

  expect(() => faults.arm({ ...fault({}), ...given })).toThrow(message);
});
