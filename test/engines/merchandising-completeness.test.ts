import fc from 'fast-check';
import type { Sale } from '../../lambdas/base/domain/sale';
import { type Container, kinesisEvent } from '../engine-rig';
import { aSale } from '../engine-rig/sales';
import { deliver } from '../engine-rig/shard';
import { type MerchandisingRig, startMerchandising } from './merchandising-rig';

let merchandising: MerchandisingRig;
beforeEach(async () => {
  merchandising = await startMerchandising();
  const { dynamodb, kinesis } = merchandising.rig.engines;
  await kinesis.call('CreateStream', { StreamName: 'sales-ingest', ShardCount: 2 });
  await kinesis.call('CreateStream', { StreamName: 'sales', ShardCount: 2 });
  await dynamodb.call('CreateTable', {
    TableName: 'claims',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  });
});
afterEach(() => merchandising.close());

const dedup = () =>
  merchandising.rig.container('../lambdas/refine/dedup/handler', {
    CLAIMS_TABLE_NAME: 'claims',
    CLAIM_DAYS: '60',
    SALES_STREAM_NAME: 'sales',
    HELD_BUCKET_NAME: 'held',
  });
const door = () =>
  merchandising.rig.container('../lambdas/cardholder/complete-through/handler', {
    SALES_INGEST_STREAM_NAME: 'sales-ingest',
  });

async function vouch(marks: unknown, container = door()): Promise<{ status: number; body: any; headers: any }> {
  const body = JSON.stringify({ marks });
  const { statusCode, headers, body: answer } = await container.invoke({ body, isBase64Encoded: false });
  return { status: statusCode, headers, body: JSON.parse(answer) };
}

async function put(sale: Sale): Promise<void> {
  const Records = [{ PartitionKey: sale.transactionId, Data: Buffer.from(JSON.stringify(sale)).toString('base64') }];
  await merchandising.rig.engines.kinesis.call('PutRecords', { StreamName: 'sales-ingest', Records });
}

/** The texts of each shard, in its order. */
async function shardsOf(StreamName: string): Promise<string[][]> {
  const { kinesis } = merchandising.rig.engines;
  const { Shards } = await kinesis.call('ListShards', { StreamName });
  return Promise.all(
    Shards.map(async ({ ShardId }: any) => {
      const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
      const { ShardIterator } = await kinesis.call('GetShardIterator', start);
      const { Records } = await kinesis.call('GetRecords', { ShardIterator, Limit: 10_000 });
      return Records.map(({ Data }: any) => Buffer.from(Data, 'base64').toString());
    }),
  );
}

const event = (texts: readonly string[], shard: number) => kinesisEvent(texts, { shard });
const minute = (number: number) => new Date(Date.parse('2026-11-22T10:00:00Z') + number * 60_000).toISOString();
const saleAt = (number: number, change: Partial<Sale> = {}) =>
  aSale({ transactionId: `T-${number}`, occurredAt: minute(number), acceptedAt: new Date().toISOString(), ...change });

async function completeness(): Promise<any> {
  return (await merchandising.ask('completeness')).body;
}
/** Everything that is in the streams is read, to the end. */
async function readAll(): Promise<void> {
  for (const [shard, texts] of (await shardsOf('sales-ingest')).entries())
    await deliver(event(texts, shard), dedup, [500]);
  for (const [shard, texts] of (await shardsOf('sales')).entries())
    await deliver(event(texts, shard), () => merchandising.open('write'), [500]);
}

test('a source that vouches is complete, by its slowest part; one that does not says nothing', async () => {
  await put(saleAt(1));
  await put(saleAt(2, { source: 'web-eu', transactionId: 'W-1' }));
  const vouched = await vouch([
    { source: 'pos-eu', part: 'store-1', completeThrough: minute(9) },
    { source: 'pos-eu', part: 'store-2', completeThrough: '2026-11-22T10:05:30.5Z' },
    { source: 'pos-us', completeThrough: minute(7) },
  ]);
  await readAll();

  expect(vouched).toMatchObject({ status: 202, body: { accepted: 3 } });
  expect(await completeness()).toEqual({
    completeThrough: minute(5),
    sources: [
      { source: 'pos-eu', completeThrough: minute(5), slowestPart: 'store-2', lastSaleAt: minute(1) },
      { source: 'pos-us', completeThrough: minute(7), lastSaleAt: null },
      { source: 'web-eu', completeThrough: null, lastSaleAt: minute(2) },
    ],
  });
});

test('a silent till and a quiet store look different, in every answer', async () => {
  await put(saleAt(1));
  await put(saleAt(1, { source: 'pos-us', transactionId: 'U-1' }));
  await vouch([
    { source: 'pos-eu', completeThrough: minute(2) },
    { source: 'pos-us', completeThrough: minute(2) },
  ]);
  // An hour later: one store has sold nothing and says so; from the other nothing is heard.
  await vouch([{ source: 'pos-eu', completeThrough: minute(60) }]);
  await readAll();

  const { body } = await merchandising.ask('totals', { from: minute(0), to: minute(90) });

  expect(body.completeness.sources).toMatchObject([
    { source: 'pos-eu', completeThrough: minute(60), lastSaleAt: minute(1) },
    { source: 'pos-us', completeThrough: minute(2), lastSaleAt: minute(1) },
  ]);
  expect(body.completeness.completeThrough).toBe(minute(2));
});

test('a mark is behind the sales that it vouches for, whichever shard they lie in, whatever fails or comes again', async () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant('sale' as const) },
      { weight: 1, arbitrary: fc.constant('mark' as const) },
    ),
    { minLength: 4, maxLength: 24 },
  );
  const crashes = fc.array(
    fc.record({
      operation: fc.constantFrom('kinesis:PutRecords', 'kinesis:ListShards', 'dynamodb:BatchExecuteStatement'),
      call: fc.integer({ min: 1, max: 5 }),
      when: fc.constantFrom('before' as const, 'after' as const),
    }),
    { maxLength: 3 },
  );
  const cuts = fc.array(fc.record({ shard: fc.nat(1), take: fc.integer({ min: 1, max: 6 }) }), { maxLength: 12 });
  let run = 0;
  let claims = 0;
  await fc.assert(
    fc.asyncProperty(steps, crashes, cuts, cuts, fc.nat(7), async (wanted, places, ofIngest, ofSales, throttled) => {
      const { rig } = merchandising;
      const source = `run-${++run}`;
      const before = await Promise.all(['sales-ingest', 'sales'].map(shardsOf));
      const sales: Sale[] = [];
      for (const [index, step] of wanted.entries())
        if (step === 'sale') {
          sales.push(saleAt(index, { source, location: source, transactionId: `R${run}-${index}` }));
          await put(sales.at(-1)!);
        } else await vouch([{ source, completeThrough: minute(index) }]);
      rig.forget();
      for (const place of places) rig.crash(place);
      rig.throttle({ operation: 'kinesis:PutRecords', statement: throttled });

      // Each shard is read in its order, some of it now and some of it later, so one gets ahead of the other.
      await readPieces(await fresh('sales-ingest', before[0]!), ofIngest, dedup);
      rig.forget();
      merchandising.failWrites(throttled % 3);
      const shards = await fresh('sales', before[1]!);
      await readPieces(
        shards,
        ofSales,
        () => merchandising.open('write'),
        async () => {
          const { sources } = await completeness();
          const claimed = sources.find((each: any) => each.source === source)?.completeThrough;
          if (!claimed) return;
          claims++;
          const { body } = await merchandising.ask('totals', {
            from: minute(0),
            to: claimed === minute(0) ? minute(1) : claimed,
            location: source,
          });
          const due = sales.filter(({ occurredAt }) => occurredAt < claimed).length;
          expect(body.rows.reduce((sum: number, row: any) => sum + row.transactions, 0)).toBe(due);
        },
      );
    }),
    { numRuns: 12, seed: 20261128 },
  );
  expect(claims).toBeGreaterThan(10);

  async function fresh(stream: string, before: string[][]): Promise<string[][]> {
    return (await shardsOf(stream)).map((texts, shard) => texts.slice(before[shard]!.length));
  }
});

/** Reads pieces of the shards in turn, looks after each, and what is left in the end. */
async function readPieces(
  shards: readonly string[][],
  pieces: readonly { readonly shard: number; readonly take: number }[],
  open: () => Container,
  look: () => Promise<void> = async () => {},
): Promise<void> {
  const rest = shards.map((texts) => [...texts]);
  const all = [...pieces, ...shards.map((texts, shard) => ({ shard, take: texts.length }))];
  for (const { shard, take } of all) {
    const first = shards[shard]!.length - rest[shard]!.length;
    const texts = rest[shard]!.splice(0, take);
    if (texts.length === 0) continue;
    const { Records } = kinesisEvent(shards[shard]!, { shard });
    await deliverUntilDone(Records.slice(first, first + texts.length), open);
    await look();
  }
}

/** As an event source mapping does: a batch that fails as a whole comes again. */
async function deliverUntilDone(Records: ReturnType<typeof kinesisEvent>['Records'], open: () => Container) {
  for (let attempt = 1; ; attempt++) {
    try {
      await deliver({ Records }, open, [4, 3]);
      return;
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
}

test('while some lane has not brought a mark, the one before it counts', async () => {
  await vouch([{ source: 'pos-eu', completeThrough: minute(1) }]);
  await readAll();
  const before = (await shardsOf('sales')).map((texts) => texts.length);
  await vouch([{ source: 'pos-eu', completeThrough: minute(2) }]);
  const [first, second] = (await shardsOf('sales-ingest')) as [string[], string[]];

  await deliver(event(first, 0), dedup, [500]);
  await readSales();
  expect((await completeness()).completeThrough).toBe(minute(1));

  await deliver(event(second, 1), dedup, [500]);
  await readSales();
  expect((await completeness()).completeThrough).toBe(minute(2));

  async function readSales(): Promise<void> {
    for (const [shard, texts] of (await shardsOf('sales')).entries())
      await deliver(event(texts.slice(before[shard]), shard), () => merchandising.open('write'), [500]);
  }
});

test('a mark that the stream did not take in every shard is to be sent again', async () => {
  merchandising.rig.throttle({ operation: 'kinesis:PutRecords', statement: 1 });
  for (const call of [2, 3, 4]) merchandising.rig.throttle({ operation: 'kinesis:PutRecords', call, statement: 0 });

  const refused = await vouch([{ source: 'pos-eu', completeThrough: minute(1) }]);
  await readAll();

  expect(refused).toMatchObject({ status: 503, headers: { 'Retry-After': '5' }, body: { code: 'stream-unavailable' } });
  expect((await completeness()).sources).toEqual([{ source: 'pos-eu', completeThrough: null, lastSaleAt: null }]);
});

test('what is no mark is refused, and none of its request counts', async () => {
  const bad: [unknown, string][] = [
    [[{ source: 'POS', completeThrough: minute(1) }], 'source'],
    [[{ source: 'pos-eu', completeThrough: 'yesterday' }], 'completeThrough'],
    [[{ source: 'pos-eu', completeThrough: '2026-02-30T10:00:00Z' }], 'completeThrough'],
    [[{ source: 'pos-eu', completeThrough: '2100-01-01T00:00:00Z' }], '24 hours ahead'],
    [[{ source: 'pos-eu', part: 'a b', completeThrough: minute(1) }], 'part'],
    [[{ source: 'pos-eu', completeThrough: minute(1), extra: 1 }], 'extra'],
    [[], '1 to 500'],
    ['x', 'marks'],
  ];
  for (const [marks, named] of bad) {
    const { status, body } = await vouch(marks);
    expect([status, body.message]).toEqual([400, expect.stringContaining(named)]);
  }
  const card = await vouch([{ source: 'pos-eu', part: '4111111111111111', completeThrough: minute(1) }]);
  expect(card.body.code).toBe('looks-like-card-number');
  expect(JSON.stringify(card.body)).not.toContain('4111');
  expect(await shardsOf('sales-ingest')).toEqual([[], []]);
});
