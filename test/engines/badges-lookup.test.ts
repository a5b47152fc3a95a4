import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { APIGatewayProxyResult } from 'aws-lambda';
import { heartbeatSlots } from '../../lambdas/base/domain/heartbeat-slots';
import { BadgeClient } from '../../lambdas/serve/badges/client';
import { decodeReceipt, type Receipt } from '../../lambdas/serve/badges/receipt/receipt';
import type { ReceiptedAnswer } from '../../lambdas/serve/badges/receipt/receipts';
import type { Container, Rig } from '../engine-rig';
import { startRig } from '../engine-rig';

const policy = { version: '1', maximumAgeSeconds: 300, safetyStock: 0, capacityShare: 1 };
const read = 'dynamodb:BatchGetItem';
const secondsAgo = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.engines.dynamodb.call('CreateTable', {
    TableName: 'online',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  });
  for (const database of ['inventory', 'orders']) await beat(database, secondsAgo(20));
  for (const fc of ['FC1', 'FC2']) await centre(fc);
  for (const sku of ['A', 'B', 'C']) {
    await put({ pk: `sku#${sku}`, status: 'active' });
    for (const fc of ['FC1', 'FC2']) await put({ pk: `stock#${sku}#${fc}`, onHand: 12, reserved: 2 });
  }
  rig.forget();
});
afterEach(() => rig.close());

const lookup = (): Container =>
  rig.container('../lambdas/serve/badges/lookup/handler', {
    ONLINE_TABLE_NAME: 'online',
    BADGE_POLICY: JSON.stringify(policy),
  });

async function ask(container: Container, skus: readonly string[], fcs: readonly string[], others: object = {}) {
  const answer: APIGatewayProxyResult = await container.invoke({
    multiValueQueryStringParameters: { sku: skus, fc: fcs, ...others },
  });
  return { ...answer, body: JSON.parse(answer.body) };
}

const reasonsOf = (body: { answers: { reason: string }[] }) => body.answers.map(({ reason }) => reason);
/** Keys read since the rig forgot: none of these items is longer than a unit. */
const keysRead = () => rig.billed()['online:read'];

describe('answers', () => {
  test('one per SKU, in the order of the request, of one read', async () => {
    await put({ pk: 'sku#B', status: 'paused' });

    const { statusCode, headers, body } = await ask(lookup(), ['C', 'B', 'nobody', 'A'], ['FC2', 'FC1']);

    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({ 'Cache-Control': 'no-store' });
    expect(body).toMatchObject({ policyVersion: '1', evaluatedAt: expect.any(String) });
    expect(body.answers.map(({ sku, reason, fc }: any) => [sku, reason, fc])).toEqual([
      ['C', 'in-stock', 'FC2'],
      ['B', 'paused', null],
      ['nobody', 'unknown-sku', null],
      ['A', 'in-stock', 'FC2'],
    ]);
    expect(body.answers[0]).toMatchObject({ badge: true, available: 10, stale: false });
    expect(body.answers[0].ageSeconds).toBeGreaterThanOrEqual(20);
    expect(rig.calls()).toEqual({ [read]: 1 });
  });

  test.each([
    [48, 1, 99],
    [32, 2, 100],
  ])('%i SKUs from %i centres are one read of %i keys', async (skus, fcs, keys) => {
    const many = Array.from({ length: skus }, (_, index) => `S${index}`);

    const { statusCode, body } = await ask(lookup(), many, ['FC1', 'FC2'].slice(0, fcs));
    const one = await ask(lookup(), [...many, 'one-more'], ['FC1', 'FC2'].slice(0, fcs));

    expect([statusCode, body.answers.length, keysRead()]).toEqual([200, skus, keys]);
    expect([one.statusCode, one.body.code]).toEqual([400, 'too-many']);
    expect(rig.calls()).toEqual({ [read]: 1 });
  });

  test('a request that cannot be answered is refused, and nothing is read', async () => {
    const container = lookup();

    const answers = [
      await ask(container, [], ['FC1']),
      await ask(container, ['A'], []),
      await ask(container, ['A', 'A'], ['FC1']),
      await ask(container, ['A'], ['FC1'], { limit: ['5'] }),
      { ...((await container.invoke({ multiValueQueryStringParameters: null })) as APIGatewayProxyResult) },
    ];

    expect(answers.map(({ statusCode }) => statusCode)).toEqual([400, 400, 400, 400, 400]);
    expect(container.metric('Refused')).toBe(5);
    expect(rig.calls()).toEqual({});
  });

  test('an expired row is not served although it still exists', async () => {
    await put({ pk: 'stock#A#FC1', onHand: 12, reserved: 0, expiresAt: Math.floor(Date.now() / 1_000) });
    await put({ pk: 'stock#B#FC1', onHand: 12, reserved: 0, expiresAt: Math.floor(Date.now() / 1_000) + 3_600 });

    const { body } = await ask(lookup(), ['A', 'B'], ['FC1']);

    expect(reasonsOf(body)).toEqual(['not-stocked', 'in-stock']);
  });

  test('what is too old, or held, is stale and says so', async () => {
    const container = lookup();
    await put({ pk: 'stock#A#FC1', onHand: 12, reserved: 0, heldSince: secondsAgo(900) });

    const { body } = await ask(container, ['A', 'B'], ['FC1']);
    await beat('orders', secondsAgo(400));
    const later = await ask(lookup(), ['A', 'B'], ['FC1']);

    expect(reasonsOf(body)).toEqual(['stale', 'in-stock']);
    expect(reasonsOf(later.body)).toEqual(['stale', 'stale']);
    expect(later.body.answers[1].ageSeconds).toBeGreaterThanOrEqual(400);
    expect(container.metric('StaleAnswers')).toBe(1);
    expect(container.metric('Badges')).toBe(1);
  });
});

describe('failures', () => {
  // What a request of two SKUs and two centres reads.
  const keys = 2 + 2 + 2 * 3;

  test.each(Array.from({ length: keys }, (_, key) => key))('key %i, unprocessed, is asked for again', async (key) => {
    rig.throttle({ operation: read, statement: key });
    rig.throttle({ operation: read, call: 2, statement: 0 });

    const { statusCode, body } = await ask(lookup(), ['A', 'B'], ['FC1', 'FC2']);

    expect([statusCode, ...reasonsOf(body)]).toEqual([200, 'in-stock', 'in-stock']);
    expect(rig.calls()[read]).toBe(3);
  });

  test('no watermark vouches for what was read before it', async () => {
    // The beats come through, but only after a pause in which the stock has gone and everything has caught up.
    rig.intercept({ operation: read }, async (input, proceed) => {
      const { Keys, ...rest } = input.RequestItems.online;
      const isBeat = ({ pk }: any) => pk.S.startsWith('beats#');
      const output = await proceed({
        RequestItems: { online: { ...rest, Keys: Keys.filter((key: any) => !isBeat(key)) } },
      });
      await put({ pk: 'stock#A#FC1', onHand: 0, reserved: 0 });
      await beat('inventory', secondsAgo(0));
      return { ...output, UnprocessedKeys: { online: { ...rest, Keys: Keys.filter(isBeat) } } };
    });

    const { body } = await ask(lookup(), ['A'], ['FC1']);

    expect(reasonsOf(body)).toEqual(['out-of-stock']);
  });

  test('keys that stay unprocessed are no unknown SKU: the answer is to ask again', async () => {
    const container = lookup();
    for (let call = 1; call <= 5; call++) rig.throttle({ operation: read, call, statement: 4 - (call > 1 ? 4 : 0) });

    const { statusCode, headers, body } = await ask(container, ['A'], ['FC1']);
    const again = await ask(container, ['A'], ['FC1']);

    expect([statusCode, headers?.['Retry-After'], body.code]).toEqual([503, '1', 'unavailable']);
    expect(container.metric('Unavailable')).toBe(1);
    expect([again.statusCode, ...reasonsOf(again.body)]).toEqual([200, 'in-stock']);
  });

  test('a table that throttles for a moment delays the answer', async () => {
    rig.throttle({ operation: read });

    const { statusCode, body } = await ask(lookup(), ['A'], ['FC1']);

    expect([statusCode, ...reasonsOf(body)]).toEqual([200, 'in-stock']);
    expect(rig.calls()[read]).toBe(2);
  });

  test('a table that throttles on is not waited for', async () => {
    for (let call = 1; call <= 10; call++) rig.throttle({ operation: read, call });

    const { statusCode, headers } = await ask(lookup(), ['A'], ['FC1']);

    expect([statusCode, headers?.['Retry-After']]).toEqual([503, '1']);
  });

  test('a table that does not answer is given up', async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig.intercept({ operation: read }, async (input, proceed) => {
      await released;
      return proceed(input);
    });

    const { statusCode } = await ask(lookup(), ['A'], ['FC1']);
    release();

    expect(statusCode).toBe(503);
  });

  test('a table that is not there is no answer, and is logged', async () => {
    const container = lookup();
    await rig.engines.dynamodb.call('DeleteTable', { TableName: 'online' });

    const { statusCode } = await ask(container, ['A'], ['FC1']);

    expect(statusCode).toBe(503);
    expect(container.lines).toContainEqual(
      expect.objectContaining({ message: 'lookup failed', error: 'ResourceNotFoundException' }),
    );
  });
});

describe('the client', () => {
  let time: number;
  const client = () => {
    time = Date.now();
    return new BadgeClient({
      dynamoDb: new DynamoDBClient(rig.client),
      tableName: 'online',
      policy,
      clock: () => time,
    });
  };
  const keysOf = async (work: () => Promise<unknown>) => {
    rig.forget();
    await work();
    return keysRead();
  };

  test('answers as the API does', async () => {
    const { evaluatedAt, ...direct } = await client().lookup({ skus: ['A', 'nobody'], fcs: ['FC2'] });
    const { body } = await ask(lookup(), ['A', 'nobody'], ['FC2']);

    // The two were asked at two moments, which their receipts name.
    const ageless = (answers: readonly ReceiptedAnswer[]) =>
      answers.map(({ receipt, ...answer }) => {
        const { digest: _, evaluatedAt: __, ...used } = decodeReceipt(receipt) as Receipt;
        return { ...answer, ageSeconds: 0, used };
      });
    expect(evaluatedAt).toBe(new Date(time).toISOString());
    expect({ ...direct, answers: ageless(direct.answers) }).toEqual({
      policyVersion: body.policyVersion,
      answers: ageless(body.answers),
    });
  });

  test('throws for a request that it cannot answer', async () => {
    await expect(client().lookup({ skus: [], fcs: ['FC1'] })).rejects.toThrow(RangeError);
  });

  test('keeps centres and beats for a second, SKUs and stock never', async () => {
    const badges = client();
    const request = { skus: ['A'], fcs: ['FC1'] };

    expect(await keysOf(() => badges.lookup(request))).toBe(5);
    time += 999;
    await put({ pk: 'sku#A', status: 'discontinued' });
    let reason = '';
    expect(
      await keysOf(async () => {
        reason = (await badges.lookup(request)).answers[0]!.reason;
      }),
    ).toBe(2);
    expect(reason).toBe('discontinued');
    time += 1;
    expect(await keysOf(() => badges.lookup(request))).toBe(5);
  });

  test('sees a full centre within a second, and grows older meanwhile', async () => {
    const badges = client();
    const request = { skus: ['A'], fcs: ['FC1'] };
    const first = (await badges.lookup(request)).answers[0]!;
    const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    await centre('FC1', { promised: { [day(time)]: 100, [day(time + 5_000)]: 100 } });
    await beat('orders', new Date(time).toISOString());
    await beat('inventory', new Date(time).toISOString());

    time += 999;
    const kept = (await badges.lookup(request)).answers[0]!;
    time += 1;
    const seen = (await badges.lookup(request)).answers[0]!;

    expect([first, kept, seen].map(({ reason }) => reason)).toEqual(['in-stock', 'in-stock', 'fc-at-capacity']);
    expect(kept.asOf).toBe(first.asOf);
    expect(kept.ageSeconds).toBe(Math.ceil((time - 1 - Date.parse(first.asOf!)) / 1_000));
    expect(seen.ageSeconds).toBe(1);
  });

  test('a centre that was kept before the beats were read is read with them', async () => {
    const badges = client();
    await badges.lookup({ skus: ['A'], fcs: ['FC1'] });
    time += 600;
    expect(await keysOf(() => badges.lookup({ skus: ['A'], fcs: ['FC1', 'FC2'] }))).toBe(4);
    time += 600;

    // The second centre's second is not over, the beats' is.
    expect(await keysOf(() => badges.lookup({ skus: ['A'], fcs: ['FC1', 'FC2'] }))).toBe(2 + 2 + 3);
  });

  test('that a centre is unknown is kept as well', async () => {
    const badges = client();
    await badges.lookup({ skus: ['A'], fcs: ['nowhere'] });
    await centre('nowhere');

    const kept = await badges.lookup({ skus: ['A'], fcs: ['nowhere'] });
    time += 1_000;
    const seen = await badges.lookup({ skus: ['A'], fcs: ['nowhere'] });

    expect([kept, seen].map(({ answers }) => answers[0]!.reason)).toEqual(['unknown-fc', 'not-stocked']);
  });
});

type Plain = string | number | { readonly [name: string]: Plain };

async function put(item: Readonly<Record<string, Plain>>): Promise<void> {
  const attribute = (value: Plain): object =>
    typeof value === 'object' ? { M: attributes(value) } : typeof value === 'number' ? { N: `${value}` } : { S: value };
  const attributes = (map: Readonly<Record<string, Plain>>): object =>
    Object.fromEntries(Object.entries(map).map(([name, value]) => [name, attribute(value)]));
  await rig.engines.dynamodb.call('PutItem', { TableName: 'online', Item: attributes(item) });
}

const centre = (fc: string, given: Readonly<Record<string, Plain>> = {}) =>
  put({ pk: `centre#${fc}`, dailyCapacity: 100, cutoff: '24:00', timeZone: 'UTC', promised: {}, ...given });

const beat = (database: string, at: string) =>
  put({ pk: `beats#${database}`, beats: Object.fromEntries(heartbeatSlots.map((slot) => [slot, at])) });
