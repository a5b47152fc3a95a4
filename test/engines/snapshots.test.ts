import type { Sale } from '../../lambdas/base/domain/sale';
import type { Manifest } from '../../lambdas/serve/lake/snapshot/snapshot';
import { type Container, type Crash, kinesisEvent } from '../engine-rig';
import { aSale } from '../engine-rig/sales';
import { type LakeAndLedger, openLakeAndLedger, totalsOf } from './lake-and-ledger';

let lake: LakeAndLedger;
/** Warm ones, as they are on most days. */
let writer: Container;
let maker: Container;
beforeEach(async () => {
  lake = await openLakeAndLedger({ ledger: false });
  writer = lake.writer();
  maker = lake.snapshots();
});
afterEach(() => lake.close());

const card = (token: string) => ({
  token,
  brand: 'visa',
  bin: '411111',
  last4: '1111',
  country: 'DE',
  funding: 'debit',
});
/** A sale accepted at this time, two seconds after it occurred unless the test says otherwise. */
const at = (time: string, transactionId: string, change: Partial<Sale> = {}): Sale => {
  const acceptedAt = new Date(`${time}Z`).toISOString();
  return aSale({
    transactionId,
    occurredAt: new Date(Date.parse(acceptedAt) - 2_000).toISOString(),
    acceptedAt,
    ...change,
  });
};

async function arrive(...sales: Sale[]): Promise<void> {
  await writer.invoke(kinesisEvent(sales));
  await lake.flush();
}

const make = (week: string, by = maker) => by.invoke({ week });
const rebuild = (snapshot: string) => maker.invoke({ rebuild: snapshot });

async function manifestOf(snapshot: string): Promise<Manifest> {
  const { Body } = await lake.s3.call('GetObject', { Bucket: 'snapshots', Key: `manifests/${snapshot}.json` });
  return JSON.parse(Body.toString());
}

const keysIn = async (snapshot: string) =>
  (
    await lake.ask(`select transaction_id from sale_line_snapshots where snapshot = '${snapshot}' order by 1`)
  ).rows.flat();

const first = at('2026-03-04T10:00:00.123', 'W10-1');
const second = at('2026-03-08T23:59:59.999', 'W10-2');
const third = at('2026-03-09T00:00:00', 'W11-1');

test('a week is what was accepted in it, each sale once, with a manifest that says what it is', async () => {
  await arrive(first, second, third);
  await arrive(first);

  const outcome = await make('2026-W10');

  expect(outcome).toEqual({ made: [{ snapshot: '2026-W10', sales: 2, salesOfEarlierWeeks: 0 }], left: 0 });
  expect(await keysIn('2026-W10')).toEqual(['W10-1', 'W10-2']);
  const { tables, cut, schemaVersion } = await manifestOf('2026-W10');
  const { lines, net, units, tendered } = totalsOf([first, second]);
  expect({ cut, schemaVersion }).toEqual({ cut: '2026-03-09T00:00:00.000Z', schemaVersion: 1 });
  expect(tables.sale_line_snapshots).toMatchObject({
    rows: lines,
    sums: { units: String(units), net: String(net) },
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    inputs: expect.arrayContaining([expect.objectContaining({ versionId: expect.stringMatching(/.{20,}/) })]),
  });
  expect(tables.sale_line_snapshots.inputs).toHaveLength(3);
  expect(tables.sale_tender_snapshots.sums).toEqual({ signed_amount: String(tendered) });
});

test('three rebuilds find the same digest, also after late and repeated sales have come', async () => {
  await arrive(first, second);
  await make('2026-W10');
  const { tables } = await manifestOf('2026-W10');

  await rebuild('2026-W10');
  await arrive(second, third, at('2026-03-05T10:00:00', 'W10-late'));
  await rebuild('2026-W10');
  await make('2026-W11');
  await rebuild('2026-W10');

  expect((await manifestOf('2026-W10')).tables).toEqual(tables);
  expect(await keysIn('2026-W10')).toEqual(['W10-1', 'W10-2']);
  await rebuild('2026-W11');
});

test('what comes too late for its snapshot is in the next, once, which says how many of its sales are older', async () => {
  await arrive(first);
  await make('2026-W10');
  // One held and redriven, one sold long before it was sent, and a repeat under the old date.
  await arrive(second, first, third, at('2026-03-10T10:00:00', 'W11-old', { occurredAt: '2026-02-01T10:00:00.000Z' }));

  const outcome = await make('2026-W12');

  expect(outcome.made).toEqual([
    { snapshot: '2026-W11', sales: 3, salesOfEarlierWeeks: 3 },
    { snapshot: '2026-W12', sales: 0, salesOfEarlierWeeks: 0 },
  ]);
  expect(await keysIn('2026-W11')).toEqual(['W10-2', 'W11-1', 'W11-old']);
});

test('the views to train on name the newest snapshot, and do not move until there is another', async () => {
  await arrive(first, third);
  await make('2026-W10');
  const ask = async () =>
    (await lake.ask('select transaction_id, snapshot, as_of from training_sales order by 1')).rows;

  const before = await ask();
  await arrive(at('2026-03-04T11:00:00', 'W10-late'));
  const meanwhile = await ask();
  await make('2026-W11');

  expect(before).toEqual([['W10-1', '2026-W10', '2026-W10']]);
  expect(meanwhile).toEqual(before);
  expect(await ask()).toEqual([
    ['W10-1', '2026-W10', '2026-W11'],
    ['W10-late', '2026-W11', '2026-W11'],
    ['W11-1', '2026-W11', '2026-W11'],
  ]);
});

test('a card is looked back on over four spans, in earlier snapshots too, and never into what came with the sale or after it', async () => {
  const paid = (time: string, id: string, amount: number, token = 'tok_a', change: Partial<Sale> = {}) =>
    at(time, id, { tenders: [{ type: 'card', amount, card: card(token) }], ...change });
  await arrive(
    paid('2026-02-10T09:00:00', 'A', 1),
    paid('2026-03-02T09:00:00', 'B', 2),
    paid('2026-03-04T09:30:00', 'C', 4, 'tok_a', { currency: 'USD' }),
    paid('2026-03-04T10:00:00', 'D', 8),
    paid('2026-03-04T10:00:00', 'E', 16),
    paid('2026-03-04T10:00:00', 'F', 32, 'tok_b'),
    at('2026-03-04T10:00:01', 'G', { tenders: [{ type: 'cash', amount: 1 }] }),
  );

  await make('2026-W10');

  const { rows } = await lake.ask(
    `select transaction_id, token_count_1h, token_count_24h, token_count_7d, token_count_30d,
       token_amount_1h, token_amount_24h, token_amount_7d, token_amount_30d, card_brand, card_bin, card_country, card_funding
     from training_tenders order by 1`,
  );
  const known = ['visa', '411111', 'DE', 'debit'];
  expect(rows).toEqual([
    ['A', '0', '0', '0', '0', '0', '0', '0', '0', ...known],
    ['B', '0', '0', '0', '1', '0', '0', '0', '1', ...known],
    ['C', '0', '0', '1', '2', '0', '0', '0', '0', ...known],
    ['D', '1', '1', '2', '3', '0', '0', '2', '3', ...known],
    ['E', '1', '1', '2', '3', '0', '0', '2', '3', ...known],
    ['F', '0', '0', '0', '0', '0', '0', '0', '0', ...known],
    ['G', ...Array(12).fill(null)],
  ]);
});

describe('a rebuild is refused when', () => {
  beforeEach(async () => {
    await arrive(first, second);
    await make('2026-W10');
  });

  const input = async () => (await manifestOf('2026-W10')).tables.sale_line_snapshots.inputs[0]!.key;

  test('an input was written anew, even with the same bytes', async () => {
    const Key = await input();
    const { Body } = await lake.s3.call('GetObject', { Bucket: 'lake', Key });
    await lake.s3.call('PutObject', { Bucket: 'lake', Key, Body });

    await expect(rebuild('2026-W10')).rejects.toThrow(/refused: version of sale_lines.* the manifest says/);
  });

  test('an input is gone', async () => {
    await lake.s3.call('DeleteObject', { Bucket: 'lake', Key: await input() });

    await expect(rebuild('2026-W10')).rejects.toThrow(/refused: version of sale_lines.* is gone/);
  });

  test('what is stored is not what was stored', async () => {
    const Bucket = 'snapshots';
    const Key = (await manifestOf('2026-W10')).tables.sale_line_snapshots.files[0]!.key;
    await arrive(third);
    await make('2026-W11');
    const other = (await manifestOf('2026-W11')).tables.sale_line_snapshots.files[0]!.key;
    const { Body } = await lake.s3.call('GetObject', { Bucket, Key: other });
    await lake.s3.call('PutObject', { Bucket, Key, Body });

    await expect(rebuild('2026-W10')).rejects.toThrow(/sale_line_snapshots as stored: digest is .*, the manifest says/);
  });

  test('there is no such snapshot', async () => {
    await expect(rebuild('2026-W09')).rejects.toThrow('snapshot 2026-W09 is unknown: there are 2026-W10');
  });
});

test('killed before or after a call, and run again, every week is there once and whole', async () => {
  const crashes: Crash[] = [
    // The lists of files, the decision, the manifest.
    { operation: 's3:PutObject', call: 1, when: 'before' },
    { operation: 's3:PutObject', call: 3, when: 'after' },
    { operation: 's3:CopyObject', call: 2, when: 'before' },
    { operation: 's3:PutObject', call: 4, when: 'before' },
    { operation: 'athena:StartQueryExecution', call: 3, when: 'after' },
  ];
  const weeks = crashes.map((_, place) => `2026-W${10 + place}`);
  const sales = weeks.map((week, place) =>
    at(new Date(Date.UTC(2026, 2, 4 + 7 * place, 12)).toISOString().slice(0, 19), week),
  );
  await arrive(...sales);

  for (const [place, crash] of crashes.entries()) {
    lake.rig.forget();
    lake.rig.crash(crash);
    await expect(make(weeks[place]!, lake.snapshots())).rejects.toThrow('killed');
    lake.rig.forget();
    await make(weeks[place]!);
  }

  const { rows } = await lake.ask(
    'select snapshot, transaction_id, count(*) from training_sales group by snapshot, transaction_id order by 1',
  );
  expect(rows).toEqual(weeks.map((week) => [week, week, '1']));
});

test('a snapshot that is there is not made again, and two runs at once make one', async () => {
  await arrive(first, second);

  await Promise.all([make('2026-W10'), make('2026-W10', lake.snapshots())]);
  lake.rig.forget();
  const outcome = await make('2026-W10');

  expect(outcome).toEqual({ made: [], left: 0 });
  expect(lake.rig.calls()['s3:CopyObject']).toBeUndefined();
  expect(await keysIn('2026-W10')).toEqual(['W10-1', 'W10-2']);
});
