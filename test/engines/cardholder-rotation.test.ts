import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { Keyring, KeysetUnavailable } from '../../lambdas/cardholder/keyring';
import type { RotationStatus } from '../../lambdas/cardholder/rotate-index-key/handler';
import { walkRotation } from '../../lambdas/cardholder/rotate-index-key/walk';
import { type Rig, startRig } from '../engine-rig';
import { aCardSale } from '../unit/cardholder/test-sales';
import {
  cardsIn,
  closeVault,
  type Environment,
  ingest,
  manyCards,
  openVault,
  request,
  salesIn,
  tokensByCard,
  vaultTable,
} from './cardholder-rig';

let rig: Rig;
let environment: Environment;
beforeAll(async () => {
  rig = await startRig();
});
// Phases of 0.6 s: what is deployed waits a thousandfold, and is otherwise the same.
beforeEach(async () => {
  environment = await openVault(rig, '0.2');
});
afterEach(() => closeVault(rig));
afterAll(() => rig.close());

const rotate = () => rig.container('../lambdas/cardholder/rotate-index-key/handler', environment);
const wait = (seconds: number) => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1_000));
const sales = (round: string, numbers: readonly string[]) =>
  numbers.map((number, index) => aCardSale(`${round}-${index}`, number));

/** Asks until the step is not refused for its phase's youth. */
async function step(action: string): Promise<RotationStatus> {
  const container = rotate();
  for (;;) {
    const status = await container.invoke<RotationStatus>({ action });
    if (!status.waiting?.includes('too young')) return status;
    await wait(0.05);
  }
}

async function eachCardHasOneToken(cards: number): Promise<void> {
  const tokens = tokensByCard(await salesIn(rig));
  expect([...tokens.values()].filter((each) => each.size !== 1)).toEqual([]);
  expect(tokens.size).toBe(cards);
}

describe('the keyset in a container', () => {
  let nowMs: number;
  let keyring: Keyring;
  beforeEach(() => {
    nowMs = 0;
    keyring = new Keyring({
      dynamoDb: new DynamoDBClient({ ...rig.client, maxAttempts: 1 }),
      kms: new KMSClient(rig.client),
      tableName: vaultTable,
      wrappingKeys: { index: environment.INDEX_WRAPPING_KEY_ARN!, data: environment.DATA_WRAPPING_KEY_ARN! },
      refreshMs: 60_000,
      now: () => nowMs,
    });
    rig.forget();
  });
  const use = async () => keyring.key(await keyring.keyset(), 'index', 1);

  test('is read again after 60 seconds by one call, and KMS is asked once', async () => {
    for (nowMs of [0, 30_000, 59_999, 60_000, 61_000, 120_000]) await use();

    expect(rig.calls()).toEqual({ 'dynamodb:GetItem': 3, 'kms:Decrypt': 1 });
  });

  test('serves for two refreshes while it cannot be read, then no more, and again once it can', async () => {
    await use();
    for (const call of [1, 2]) rig.throttle({ operation: 'dynamodb:GetItem', call });

    nowMs = 119_999;
    await expect(use()).resolves.toBeDefined();
    nowMs = 120_000;
    await expect(use()).rejects.toThrow(KeysetUnavailable);
    await expect(use()).resolves.toBeDefined();
  });

  test('unwraps no key that was wrapped for another purpose, table or version', async () => {
    const { dynamodb } = rig.engines;
    const { Item } = await dynamodb.call('GetItem', { TableName: vaultTable, Key: { pk: { S: 'keyset' } } });
    Item.indexKeys.M[2] = Item.indexKeys.M[1];
    await dynamodb.call('PutItem', { TableName: vaultTable, Item });

    const keyset = await keyring.keyset();

    await expect(keyring.key(keyset, 'index', 2)).rejects.toThrow();
    await expect(keyring.key(keyset, 'index', 1)).resolves.toBeDefined();
  });
});

test('a rotation under traffic leaves every card its token, from the first sale to the last', async () => {
  const numbers = manyCards(150);
  const containers = Array.from({ length: 3 }, () => ingest(rig, environment));
  await containers[0]!.invoke(request(sales('before', numbers.slice(0, 50))));
  let round = 0;
  let walking = true;
  const traffic = containers.map(async (container, lane) => {
    // Old cards again and again, and new ones all the while, the same in all lanes.
    while (walking) {
      const seen = Math.min(numbers.length, 50 + ++round * 3);
      const answer = await container.invoke(request(sales(`lane${lane}-${round}`, numbers.slice(0, seen))));
      expect([202, 503, 207]).toContain(answer.statusCode);
    }
  });
  const said: string[] = [];
  const operator = rotate();

  try {
    await walkRotation({ ask: (action) => operator.invoke({ action }), wait, say: (line) => said.push(line) });
  } finally {
    walking = false;
    await Promise.all(traffic);
  }
  const last = await ingest(rig, environment).invoke(request(sales('after', numbers)));

  expect(said.at(-1)).toBe('the index key is changed');
  expect(last.statusCode).toBe(202);
  await eachCardHasOneToken(150);
  expect(await cardsIn(rig, 'card#1#')).toHaveLength(0);
  expect(await cardsIn(rig, 'card#2#')).toHaveLength(150);
  expect(await step('status')).toMatchObject({ phase: 'old', index: 2 });
});

test('containers of neighbouring phases give a new card the same token', async () => {
  const [first, second, third] = [manyCards(90).slice(0, 30), manyCards(90).slice(30, 60), manyCards(90).slice(60)];
  // With an hour between refreshes each stays in the phase in which it looked first.
  const steady = { ...environment, KEYSET_REFRESH_SECONDS: '3600' };
  const old = ingest(rig, steady);
  await old.invoke(request(sales('warm', first)));

  await step('start');
  const dual = ingest(rig, steady);
  await Promise.all([old, dual].map((container, lane) => container.invoke(request(sales(`a${lane}`, second)))));
  await step('backfill');
  await step('verify');
  const finished = await step('finish');
  const renewed = ingest(rig, steady);
  await Promise.all([dual, renewed].map((container, lane) => container.invoke(request(sales(`b${lane}`, third)))));
  await renewed.invoke(request(sales('c', [...first, ...second])));

  expect(finished).toMatchObject({ phase: 'new', nextIndex: 2 });
  await eachCardHasOneToken(90);
});

test('a backfill killed at any call goes on where it stopped', async () => {
  const numbers = manyCards(250);
  await ingest(rig, environment).invoke(request(sales('before', numbers)));
  await step('start');
  await ingest(rig, environment).invoke(request(sales('dual', numbers.slice(0, 20))));
  await step('status');

  let kills = 0;
  for (const operation of ['dynamodb:Scan', 'dynamodb:BatchExecuteStatement', 'dynamodb:PutItem', 'kms:Decrypt'])
    for (const when of ['before', 'after'] as const) {
      rig.forget();
      rig.crash({ operation, when });
      await step('backfill').then(
        () => {},
        (error) => {
          expect(error.message).toContain('killed');
          kills++;
        },
      );
    }
  rig.forget();
  const { pass } = await step('backfill');
  const verified = await step('verify');

  expect(kills).toBeGreaterThanOrEqual(4);
  expect(pass).toMatchObject({ kind: 'backfill', done: true });
  expect(verified.pass).toMatchObject({ done: true, cards: 250, copied: 0, mismatched: 0 });
  expect(await cardsIn(rig, 'card#2#')).toHaveLength(250);
});

test('no phase is left before it reached every container, nor the old index before all cards are under the new one', async () => {
  await ingest(rig, environment).invoke(request(sales('before', manyCards(3))));
  const container = rotate();
  const why = async (action: string) => (await container.invoke<RotationStatus>({ action })).waiting;

  expect(await why('finish')).toBe("phase: got 'old', allowed for finish: 'dual'");
  await step('start');
  expect(await why('backfill')).toMatch(/too young: wait 1 s/);
  expect((await step('finish')).waiting).toBe('verify has not ended');
  expect((await step('verify')).waiting).toBe('backfill has not ended');
  await step('backfill');
  expect((await step('finish')).waiting).toBe('verify has not ended');
  await step('verify');
  expect((await step('finish')).phase).toBe('new');
  expect((await step('retire')).waiting).toBe('purge has not ended');
});

test('a card under the new index with another token stops the rotation', async () => {
  await ingest(rig, environment).invoke(request(sales('before', manyCards(3))));
  await step('start');
  await step('backfill');
  const [card] = await cardsIn(rig, 'card#2#');
  card.token.S = `tok_${'b'.repeat(26)}`;
  await rig.engines.dynamodb.call('PutItem', { TableName: vaultTable, Item: card });

  await expect(walkRotation({ ask: (action) => rotate().invoke({ action }), wait, say: () => {} })).rejects.toThrow(
    '1 cards have another token under the new index key',
  );
  expect((await step('status')).phase).toBe('dual');
});

test('new cards are sealed by a new data key, and old ones still open', async () => {
  const [first, second] = manyCards(2);
  await ingest(rig, environment).invoke(request(sales('one', [first!])));
  await step('data-key');
  await ingest(rig, environment).invoke(request(sales('two', [second!])));
  const detokenize = rig.container('../lambdas/cardholder/detokenize/handler', environment);

  const answers = [];
  for (const { tenders } of await salesIn(rig))
    answers.push(await detokenize.invoke({ token: tenders[0].card.token, requestedBy: 'test', purpose: 'test' }));

  expect((await cardsIn(rig)).map(({ data }) => data.N).sort()).toEqual(['1', '2']);
  expect(answers.map(({ number }) => number).sort()).toEqual([first, second].sort());
});
