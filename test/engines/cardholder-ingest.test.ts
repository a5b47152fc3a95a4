import { crashPoints, type Rig, startRig } from '../engine-rig';
import { aCardSale, aSale, testCards } from '../unit/cardholder/test-sales';
import {
  cardsIn,
  closeVault,
  createKeyset,
  type Environment,
  ingest,
  manyCards,
  openVault,
  request,
  salesIn,
  statusesOf,
  tokensByCard,
  vaultTable,
} from './cardholder-rig';

let rig: Rig;
let environment: Environment;
beforeAll(async () => {
  rig = await startRig();
});
beforeEach(async () => {
  environment = await openVault(rig);
});
afterEach(() => closeVault(rig));
afterAll(() => rig.close());

const cards = Object.values(testCards);

/** Everything that any engine holds and any container said, to look for what must not be there. */
async function everythingKept(containers: readonly { lines: readonly unknown[] }[]): Promise<string> {
  const kept = containers.map(({ lines }) => JSON.stringify(lines));
  for (const engine of [rig.engines.dynamodb, rig.engines.kinesis])
    for await (const { text } of engine.contents()) kept.push(text);
  return kept.join('\n');
}

test('a sale goes into the stream with a token in the place of its card number, and nothing else added', async () => {
  const container = ingest(rig, environment);
  const sale = aSale({ colour: 'scarlet' });

  const answer = await container.invoke(request([sale]));

  expect(answer.statusCode).toBe(202);
  const { source, transactionId } = sale;
  const warnings = ['colour: unknown field, dropped'];
  expect(JSON.parse(answer.body)).toEqual({ results: [{ source, transactionId, status: 'accepted', warnings }] });
  const { colour: _, tenders, ...rest } = sale;
  const card = { token: expect.stringMatching(/^tok_[a-z2-7]{26}$/), brand: 'visa', bin: '411111', last4: '1111' };
  expect(await salesIn(rig)).toEqual([
    { ...rest, tenders: [{ ...tenders[0], card }, tenders[1]], acceptedAt: expect.stringMatching(/^20.*Z$/) },
  ]);
  const kept = await everythingKept([container]);
  expect(kept).toContain(transactionId);
  expect(kept).not.toContain(testCards.visa);
  expect(container.metric('Accepted')).toBe(1);
});

test('each event has its own answer, in order, and one time of acceptance for all', async () => {
  const sales = [aSale(), aSale({ lines: [] }), 'nonsense', aSale({ transactionId: testCards.visa }), aSale()];

  const answer = await ingest(rig, environment).invoke(request(sales));

  expect(answer.statusCode).toBe(207);
  expect(statusesOf(answer)).toEqual(['accepted', 'rejected', 'rejected', 'rejected', 'accepted']);
  expect(answer.body).not.toContain(testCards.visa);
  expect(new Set((await salesIn(rig)).map(({ acceptedAt }) => acceptedAt)).size).toBe(1);
});

test.each<[string, unknown, number, string]>([
  ['no body', null, 400, 'empty body'],
  ['not even the field for one', undefined, 400, 'empty body'],
  ['no JSON', `{"sales":[{"number":"${testCards.visa}"`, 400, 'not JSON'],
  ['a list', '[]', 400, 'not an object'],
  ['no sales', '{}', 400, 'sales: got no array'],
  ['an empty list of sales', '{"sales":[]}', 400, 'got 0 events'],
  ['501 events', JSON.stringify({ sales: Array(501).fill(1) }), 400, 'got 501 events'],
  ['more than 4 MiB', JSON.stringify({ sales: ['x'.repeat(4 * 1024 * 1024)] }), 413, 'at most 4194304'],
])('a request with %s is refused as a whole, without a word of it', async (_, body, statusCode, message) => {
  const container = ingest(rig, environment);

  const answer = await container.invoke({ body, isBase64Encoded: false });

  expect(answer).toMatchObject({ statusCode, body: expect.stringContaining(message) });
  expect(JSON.stringify([answer, container.lines])).not.toContain(testCards.visa);
});

test('an event of more than 256 KiB is rejected, those beside it are not', async () => {
  const large = aSale({ extra: 'x'.repeat(256 * 1024) });

  const answer = await ingest(rig, environment).invoke(request([large, aSale()]));

  expect(statusesOf(answer)).toEqual(['rejected', 'accepted']);
});

test('a body in base64 is read as well', async () => {
  const { body } = request([aSale()]);

  const answer = await ingest(rig, environment).invoke({
    body: Buffer.from(body).toString('base64'),
    isBase64Encoded: true,
  });

  expect(answer.statusCode).toBe(202);
});

test('a thousand first sights at once, in five containers, give each card one token', async () => {
  const numbers = manyCards(200);
  const containers = Array.from({ length: 5 }, () => ingest(rig, environment));

  const answers = await Promise.all(
    containers.map((container, index) => {
      const sales = numbers.map((number, place) => aCardSale(`T${index}-${place}`, number));
      return container.invoke(request(sales));
    }),
  );

  expect(answers.map(({ statusCode }) => statusCode)).toEqual([202, 202, 202, 202, 202]);
  const tokens = tokensByCard(await salesIn(rig));
  expect(tokens.size).toBe(200);
  expect([...tokens.values()].every((each) => each.size === 1)).toBe(true);
  expect(await cardsIn(rig)).toHaveLength(200);
});

test('one card many times in a request is asked for once', async () => {
  const sales = Array.from({ length: 100 }, (_, index) => aCardSale(`T${index}`, testCards.visa));

  await ingest(rig, environment).invoke(request(sales));

  expect(rig.calls()).toEqual({
    'dynamodb:GetItem': 1,
    'kms:Decrypt': 2,
    'dynamodb:BatchGetItem': 1,
    'dynamodb:BatchExecuteStatement': 1,
    'kinesis:PutRecords': 1,
  });
  expect(tokensByCard(await salesIn(rig)).size).toBe(1);
});

test('calls do not grow with sales: at 100 a request one reads known cards, one writes, and KMS is not asked again', async () => {
  const numbers = manyCards(100);
  const sales = (round: string) => numbers.map((number, index) => aCardSale(`${round}-${index}`, number));
  await ingest(rig, environment).invoke(request(sales('first')));
  const container = ingest(rig, environment);
  rig.forget();

  await container.invoke(request(sales('a')));
  const first = rig.calls();
  rig.forget();
  for (const round of ['b', 'c', 'd']) await container.invoke(request(sales(round)));

  expect(first).toEqual({
    'dynamodb:GetItem': 1,
    'kms:Decrypt': 1,
    'dynamodb:BatchGetItem': 1,
    'kinesis:PutRecords': 1,
  });
  expect(rig.calls()).toEqual({ 'kinesis:PutRecords': 3 });
});

test('killed before or after any of its calls, and sent again to another, every sale is there with one token a card', async () => {
  const sales = cards.map((number, index) => aCardSale(`T${index}`, number));
  await ingest(rig, environment).invoke(request(sales));
  const points = crashPoints(rig.calls());
  expect(points.length).toBeGreaterThanOrEqual(10);

  for (const point of points) {
    await closeVault(rig);
    environment = await openVault(rig);
    rig.crash(point);
    await expect(ingest(rig, environment).invoke(request(sales))).rejects.toThrow('killed');

    const answer = await ingest(rig, environment).invoke(request(sales));

    expect(answer.statusCode).toBe(202);
    const stored = await salesIn(rig);
    expect(new Set(stored.map(({ transactionId }) => transactionId)).size).toBe(sales.length);
    expect([...tokensByCard(stored).values()].every((each) => each.size === 1)).toBe(true);
  }
});

describe('when something is throttled', () => {
  test('only the sale of that card is to be sent again', async () => {
    rig.throttle({ operation: 'dynamodb:BatchExecuteStatement', statement: 2 });
    const sales = [
      ...cards.map((number, index) => aCardSale(`T${index}`, number)),
      aSale({ tenders: [{ type: 'cash', amount: 1 }] }),
    ];
    const container = ingest(rig, environment);

    const answer = await container.invoke(request(sales));

    expect(answer).toMatchObject({ statusCode: 207, headers: { 'Retry-After': '5' } });
    const expected = sales.map((_, index) => (index === 2 ? 'retry' : 'accepted'));
    expect(statusesOf(answer)).toEqual(expected);
    expect(statusesOf(await container.invoke(request(sales)))).toEqual(sales.map(() => 'accepted'));
    expect([...tokensByCard(await salesIn(rig)).values()].every((each) => each.size === 1)).toBe(true);
  });

  test('a key that a read leaves unprocessed is read again', async () => {
    await ingest(rig, environment).invoke(request(cards.map((number, index) => aCardSale(`T${index}`, number))));
    rig.throttle({ operation: 'dynamodb:BatchGetItem', statement: 1 });

    const answer = await ingest(rig, environment).invoke(
      request(cards.map((number, index) => aCardSale(`U${index}`, number))),
    );

    expect(answer.statusCode).toBe(202);
    expect(await cardsIn(rig)).toHaveLength(cards.length);
  });

  test('a stream that takes nothing answers 429 when all are to be sent again', async () => {
    const refuseAll = async ({ Records }: any) => ({
      FailedRecordCount: Records.length,
      Records: Records.map(() => ({ ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'full' })),
    });
    for (const call of [1, 2, 3, 4]) rig.intercept({ operation: 'kinesis:PutRecords', call }, refuseAll);

    const answer = await ingest(rig, environment).invoke(request([aSale(), aCardSale('T2', testCards.amex)]));

    expect(answer).toMatchObject({ statusCode: 429, headers: { 'Retry-After': '1' } });
    expect(statusesOf(answer)).toEqual(['retry', 'retry']);
  });
});

test('a request that ran out of time writes nothing any more, however long its container slept', async () => {
  let wake: () => void = () => {};
  const asleep = new Promise<void>((resolve) => {
    wake = resolve;
  });
  let settled: () => void = () => {};
  const vaultAnswered = new Promise<void>((resolve) => {
    settled = resolve;
  });
  rig.intercept({ operation: 'dynamodb:BatchExecuteStatement' }, async (input, proceed) => {
    await asleep;
    setImmediate(settled);
    return proceed(input);
  });
  const container = ingest(rig, environment);

  const answer = await container.invoke(request([aSale()]), 0);
  wake();
  await vaultAnswered;
  await container.invoke(request([aCardSale('T2', testCards.amex)]));

  expect(answer).toMatchObject({ statusCode: 503, headers: { 'Retry-After': '5' } });
  expect((await salesIn(rig)).map(({ transactionId }) => transactionId)).toEqual(['T2']);
});

test('without a keyset, sales with cards are to be sent again and sales without come in', async () => {
  await rig.engines.dynamodb.call('DeleteItem', { TableName: vaultTable, Key: { pk: { S: 'keyset' } } });
  const cash = aSale({ transactionId: 'cash', tenders: [{ type: 'cash', amount: 1652 }] });
  const container = ingest(rig, environment);

  const mixed = await container.invoke(request([aSale(), cash]));
  const carded = await container.invoke(request([aSale()]));

  expect(statusesOf(mixed)).toEqual(['retry', 'accepted']);
  expect(carded).toMatchObject({ statusCode: 503, headers: { 'Retry-After': '5' } });
});

test('the deploy step creates the keyset once, and leaves the one that is there', async () => {
  const keyset = async () =>
    (await rig.engines.dynamodb.call('GetItem', { TableName: vaultTable, Key: { pk: { S: 'keyset' } } })).Item;
  const before = await keyset();

  const status = await createKeyset(rig, environment);

  expect(status).toBe('SUCCESS');
  expect(await keyset()).toEqual(before);
});

describe('detokenizing', () => {
  const detokenize = () => rig.container('../lambdas/cardholder/detokenize/handler', environment);
  const asked = { requestedBy: 'j.doe', purpose: 'dispute 4711' };

  test('gives the card number of a token, and writes down for whom and why, without it', async () => {
    await ingest(rig, environment).invoke(request([aCardSale('T1', testCards.jcb)]));
    const [{ tenders }] = await salesIn(rig);
    const { token } = tenders[0].card;
    const container = detokenize();

    const answer = await container.invoke({ ...asked, token });

    expect(answer).toEqual({ status: 'found', number: testCards.jcb });
    expect(container.lines).toContainEqual(
      expect.objectContaining({ message: 'detokenize', token, result: 'found', ...asked }),
    );
    expect(JSON.stringify(container.lines)).not.toContain(testCards.jcb);
  });

  test('of a token that is none, or without a purpose, gives nothing and writes that down', async () => {
    const container = detokenize();
    const token = `tok_${'a'.repeat(26)}`;

    const unknown = await container.invoke({ ...asked, token });
    const aimless = await container.invoke({ requestedBy: 'j.doe', token });

    expect(unknown.status).toBe('unknown-token');
    expect(aimless).toMatchObject({ status: 'invalid', message: expect.stringContaining('purpose: ') });
    expect(container.metric('DetokenizeFailed')).toBe(2);
  });
});
