import fc from 'fast-check';
import { type Rig, startRig } from '../engine-rig';
import { deliver } from '../engine-rig/shard';
import { changesEvent, Source, type SourceRecord } from './badges-apply-source';
import { apply, comparable, day, expected, finishLoad, prepare, served, startEpoch } from './badges-apply-tables';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

const skus = ['A', 'B', 'C'];
const centres = ['fc-1', 'fc-2'];
const orders = ['o-1', 'o-2', 'o-3', 'o-4'];
const one = <T>(list: readonly T[]) => fc.constantFrom(...list);

type Step = (source: Source) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(one(skus), one(['active', 'paused', 'discontinued']), fc.boolean()).map(
      ([sku, status, part]): Step =>
        (source) =>
          source.put(
            'inventory',
            'skus',
            { sku, status, category: 'c', reorder_point: 1, safety_stock: 2 },
            part ? { leaveOut: ['category', 'safety_stock'] } : {},
          ),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(one(skus), one(centres), fc.nat(20), fc.nat(5)).map(
      ([sku, location, on_hand, reserved]): Step =>
        (source) =>
          source.put('inventory', 'stock', { sku, location, on_hand, reserved }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(one(orders), one(centres), fc.nat(2), one(['open', 'shipped', 'cancelled']), fc.boolean()).map(
      ([order_id, fc_id, ahead, status, part]): Step =>
        (source) =>
          source.put(
            'orders',
            'orders',
            { order_id, fc_id, promised_date: day(1 + ahead), status },
            part ? { leaveOut: ['fc_id', 'promised_date'] } : {},
          ),
    ),
  },
  {
    weight: 1,
    arbitrary: one(centres).map(
      (fc_id): Step =>
        (source) =>
          source.put('inventory', 'fulfillment_centers', {
            fc_id,
            daily_capacity: 9,
            cutoff: '12:00:00',
            time_zone: 'UTC',
          }),
    ),
  },
  {
    weight: 2,
    arbitrary: one(skus).map(
      (sku): Step =>
        (source) =>
          source.delete('inventory', 'skus', { sku }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(one(skus), one(centres)).map(
      ([sku, location]): Step =>
        (source) =>
          source.delete('inventory', 'stock', { sku, location }),
    ),
  },
  {
    weight: 2,
    arbitrary: one(orders).map(
      (order_id): Step =>
        (source) =>
          source.delete('orders', 'orders', { order_id }),
    ),
  },
  {
    weight: 1,
    arbitrary: one(centres).map(
      (fc_id): Step =>
        (source) =>
          source.delete('inventory', 'fulfillment_centers', { fc_id }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(one(skus), one(skus), one(centres)).map(
      ([from, to, location]): Step =>
        (source) =>
          source.changeKey('inventory', 'stock', { sku: from, location }, { sku: to, location }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(one(orders), one(orders)).map(
      ([from, to]): Step =>
        (source) =>
          source.changeKey('orders', 'orders', { order_id: from }, { order_id: to }),
    ),
  },
);

test('however changes and loads come, the end is that of the sources: features, lifecycle and counts', async () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(
      steps,
      steps,
      steps,
      fc.boolean(),
      fc.integer(),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
      fc.array(
        fc.record({
          operation: one(['dynamodb:BatchExecuteStatement', 'dynamodb:TransactWriteItems', 'dynamodb:UpdateItem']),
          call: fc.integer({ min: 1, max: 6 }),
          when: one(['before', 'after'] as const),
        }),
        { maxLength: 3 },
      ),
      async (before, unseen, after, isReloaded, seed, repeated, sizes, crashes) => {
        await rig.close();
        rig = await startRig();
        await prepare(rig);
        const source = new Source();
        for (const each of before) each(source);
        if (isReloaded) {
          await startEpoch(rig, 2);
          source.reload(() => {
            for (const each of unseen) each(source);
          });
        }
        for (const each of after) each(source);
        const records = source.take();
        const mixed = shuffled(
          [...records, ...repeated.flatMap((index) => records[index % records.length] ?? [])],
          seed,
        );
        const half = Math.floor(mixed.length / 2);
        rig.forget();
        for (const crash of crashes) rig.crash(crash);

        // Two shards at once, and a zombie that works at what the second has.
        await Promise.all([
          deliver(changesEvent(mixed.slice(0, half)), () => apply(rig), sizes),
          deliver(changesEvent(mixed.slice(half), { shard: 1 }), () => apply(rig), [...sizes].reverse()),
          deliver(changesEvent(mixed.slice(half, half + 10), { shard: 1 }), () => apply(rig), [3, 5]),
        ]);
        rig.forget();
        if (isReloaded) await finishLoad(rig, source, 2);

        expect(comparable(await served(rig), source)).toEqual(comparable(expected(source), source));
      },
    ),
    { numRuns: 25, seed: 20261122, endOnFailure: true },
  );
}, 120_000);

function shuffled(records: readonly SourceRecord[], seed: number): SourceRecord[] {
  let state = seed;
  const random = () => {
    state = (state * 1_664_525 + 1_013_904_223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
  return records
    .map((record) => ({ record, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ record }) => record);
}
