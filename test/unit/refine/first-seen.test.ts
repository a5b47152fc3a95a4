import fc from 'fast-check';
import { saleKey } from '../../../lambdas/base/domain/sale';
import { digestOf } from '../../../lambdas/refine/dedup/digest';
import { type Arrival, type Claim, decide, firstOfEachKey } from '../../../lambdas/refine/dedup/first-seen';
import { aSale } from '../../engine-rig/sales';

const at = (position: string, transactionId = 'T-1', note?: string): Arrival => {
  const sale = aSale(note === undefined ? { transactionId } : { transactionId, note });
  return { key: saleKey(sale), position, sale };
};
const claimOf = ({ position, sale }: Arrival): Claim => ({ position, digest: digestOf(sale) });

test('the first copy of each key claims', () => {
  const first = at('shard:1');

  expect(firstOfEachKey([first, at('shard:2'), at('shard:3', 'T-2')])).toEqual([first, at('shard:3', 'T-2')]);
});

test('the winner is handed over, its repeat is not', () => {
  const winner = at('shard:1');
  const repeat = at('shard:2');

  const decision = decide([winner, repeat], new Map([[winner.key, claimOf(winner)]]));

  expect(decision).toMatchObject({ handOver: [winner], repeats: [repeat], conflicts: [], undecided: [] });
});

test('the winner is handed over again when it comes again, even behind other copies', () => {
  const winner = at('shard:2');
  const other = at('shard:1');

  const decision = decide([other, winner], new Map([[winner.key, claimOf(winner)]]));

  expect(decision).toMatchObject({ handOver: [winner], repeats: [other] });
});

test('another body under the same key is a conflict', () => {
  const winner = at('shard:1');
  const other = at('shard:2', 'T-1', 'another');

  const decision = decide([winner, other], new Map([[winner.key, claimOf(winner)]]));

  expect(decision.conflicts).toEqual([{ arrival: other, claim: claimOf(winner) }]);
  expect(decision.handOver).toEqual([winner]);
});

test('the position decides before the digest: the winner is handed over under a digest that nobody knows any more', () => {
  const winner = at('shard:1');
  const other = at('shard:2');
  const claim = { position: 'shard:1', digest: '99:unknown' };

  const decision = decide([winner, other], new Map([[winner.key, claim]]));

  expect(decision).toMatchObject({ handOver: [winner], incomparable: [{ arrival: other, claim }] });
});

test('nothing is decided from the first arrival on whose claim is not known', () => {
  const known = at('shard:1');
  const unknown = at('shard:2', 'T-2');
  const later = at('shard:3');

  const decision = decide([known, unknown, later], new Map([[known.key, claimOf(known)]]));

  expect(decision).toMatchObject({ handOver: [known], repeats: [], undecided: [unknown, later] });
});

// A model of the whole function: a claims table, a stream in and a stream out, and a function that can die anywhere.
type Delivery = { readonly batch: number; readonly fate: 'done' | 'dies after claiming' | 'dies after handing over' };

function run(stream: readonly Arrival[], deliveries: readonly Delivery[], failing: ReadonlySet<string>) {
  const claims = new Map<string, Claim>();
  const handedOver: Arrival[] = [];
  const conflicts = new Set<string>();
  let checkpoint = 0;
  const deliver = (size: number, fate: Delivery['fate'], broken: ReadonlySet<string>) => {
    const batch = stream.slice(checkpoint, checkpoint + size);
    const known = new Map<string, Claim>();
    for (const first of firstOfEachKey(batch)) {
      if (broken.has(first.position)) continue;
      if (!claims.has(first.key)) claims.set(first.key, claimOf(first));
      known.set(first.key, claims.get(first.key)!);
    }
    if (fate === 'dies after claiming') return;
    const decision = decide(batch, known);
    handedOver.push(...decision.handOver);
    for (const { arrival } of decision.conflicts) conflicts.add(arrival.position);
    if (fate === 'dies after handing over') return;
    checkpoint += batch.length - decision.undecided.length;
  };
  for (const { batch, fate } of deliveries) deliver(batch, fate, failing);
  while (checkpoint < stream.length) deliver(3, 'done', new Set());
  return { handedOver, conflicts };
}

const streams = fc
  .array(fc.record({ transaction: fc.integer({ min: 1, max: 6 }), body: fc.integer({ min: 0, max: 1 }) }), {
    maxLength: 30,
  })
  .map((records) =>
    records.map(({ transaction, body }, index) => at(`shard:${index}`, `T-${transaction}`, `body ${body}`)),
  );
const deliveries = fc.array(
  fc.record({
    batch: fc.integer({ min: 1, max: 10 }),
    fate: fc.constantFrom<Delivery['fate']>('done', 'dies after claiming', 'dies after handing over'),
  }),
  { maxLength: 15 },
);
const failures = fc.uniqueArray(fc.integer({ min: 0, max: 29 }).map((index) => `shard:${index}`));

test('whatever is repeated, cut, refused or dies: every sale is handed over, always the same one, never a conflict', () => {
  fc.assert(
    fc.property(streams, deliveries, failures, (stream, plan, failing) => {
      const { handedOver, conflicts } = run(stream, plan, new Set(failing));

      expect(new Set(handedOver.map(({ key }) => key))).toEqual(new Set(stream.map(({ key }) => key)));
      for (const key of new Set(stream.map((arrival) => arrival.key))) {
        const winners = new Set(handedOver.filter((arrival) => arrival.key === key).map(({ position }) => position));
        expect(winners.size).toBe(1);
        const winner = stream.find(({ position }) => position === [...winners][0])!;
        const others = stream.filter((arrival) => arrival.key === key && arrival.sale.note !== winner.sale.note);
        for (const other of others) expect(conflicts).toContain(other.position);
      }
      for (const { position } of handedOver) expect(conflicts).not.toContain(position);
    }),
    { numRuns: 300, seed: 20261122 },
  );
});
