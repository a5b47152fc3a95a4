import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { type BadgePolicy, badgeDatabases, evaluate } from '../../../lambdas/base/domain/badge';
import { badgeFeatures, type FeatureKind } from '../../../lambdas/base/domain/badge-features';
import { badgeHistory, type HistoryRow } from '../../../lambdas/base/domain/badge-history';
import {
  beatRow,
  countPosition,
  endRow,
  featureRow,
  heldRow,
  policyRow,
} from '../../../lambdas/serve/badges/history-rows';
import { attributeOf } from '../../../lambdas/serve/badges/item-values';
import { explain } from '../../../lambdas/serve/badges/receipt/explanation';
import { type ReEvaluation, reEvaluate, toldRows } from '../../../lambdas/serve/badges/receipt/re-evaluation';
import { decodeReceipt, encodeReceipt, type Receipt } from '../../../lambdas/serve/badges/receipt/receipt';
import { type ReceiptedAnswer, withReceipts } from '../../../lambdas/serve/badges/receipt/receipts';
import { fcs, someFcs, worlds } from './arbitrary-world';
import { allIsWell, itemsOf, noon, policy, type World } from './badge-world';

const readableAt = '2026-11-22T10:59:59.500Z';
const countsVersion = 1_795_345_000_000;
const day = '2026-11-22';

const positions = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 999_999 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(100), fc.nat(3))
    .map(([epoch, lsn, index, fills]) => {
      const log = `${lsn.toString(16).toUpperCase().padStart(16, '0')}:${String(index).padStart(10, '0')}`;
      return `${String(epoch).padStart(6, '0')}:${log}${fills === 0 ? '' : `/${String(fills).padStart(4, '0')}`}`;
    }),
  fc.constantFrom('000002:-', '000001:0000000000000000:0000000000', 'of another form'),
);

/** The world as the online table has it, and as the history tells of it. */
function tableOf(world: World, position: (pk: string) => string) {
  const attributes = new Map<string, Record<string, AttributeValue>>();
  const history: HistoryRow[] = [policyRow(policy.version, JSON.stringify(policy), readableAt)];
  const add = (kind: FeatureKind, pk: string, item: Record<string, any>) => {
    const { heldSince, expiresAt, promised } = item;
    const features = Object.fromEntries(
      Object.keys(badgeFeatures[kind].features).map((name) => [name, item[name] ?? null]),
    );
    const committedAt = '2026-11-22T10:58:00.123456Z';
    attributes.set(pk, {
      ...Object.fromEntries(Object.entries(features).map(([name, value]) => [name, attributeOf(value)])),
      position: { S: position(pk) },
      committedAt: { S: committedAt },
      ...(heldSince === undefined ? {} : { heldSince: { S: heldSince } }),
      ...(expiresAt === undefined ? {} : { expiresAt: { N: String(expiresAt) } }),
      ...(Object.keys(promised ?? {}).length === 0
        ? {}
        : {
            countsVersion: { N: String(countsVersion) },
            promised: { M: Object.fromEntries(Object.entries(promised).map(([when, n]) => [when, { N: String(n) }])) },
          }),
    });
    history.push(featureRow({ kind, pk, position: position(pk), committedAt, deleted: false, features }, readableAt));
    if (heldSince !== undefined) history.push(heldRow(pk, heldSince, readableAt));
    if (expiresAt !== undefined) history.push(endRow(pk, expiresAt, readableAt));
    for (const [when, orders] of Object.entries(promised ?? {}))
      history.push({
        kind: 'count',
        item: pk,
        position: countPosition(countsVersion),
        readable_at: readableAt,
        day: when,
        orders: Number(orders),
        order_id: 'O-1',
        order_position: '000001:000000027C000080:0000000001',
        order_change: 1,
      });
  };
  for (const [sku, item] of Object.entries(world.skus)) add('sku', `sku#${sku}`, item);
  for (const [place, item] of Object.entries(world.stock)) add('stock', `stock#${place}`, item);
  for (const [fcId, item] of Object.entries(world.centres)) add('centre', `centre#${fcId}`, item);
  for (const database of badgeDatabases) {
    const item = world.beats[database];
    if (item === undefined) continue;
    const pk = `beats#${database}`;
    const slots = Object.entries(item.beats ?? {});
    attributes.set(pk, {
      beats: { M: Object.fromEntries(slots.map(([slot, at]) => [slot, { S: at }])) },
      positions: { M: Object.fromEntries(slots.map(([slot]) => [slot, { S: position(`${pk}#${slot}`) }])) },
      ...(item.heldSince === undefined ? {} : { heldSince: { S: item.heldSince } }),
    });
    for (const [slot, beatAt] of slots)
      history.push(
        beatRow(database, slot, { beatAt, position: position(`${pk}#${slot}`), arrivedAt: beatAt }, readableAt),
      );
    if (item.heldSince !== undefined) history.push(heldRow(pk, item.heldSince, readableAt));
  }
  return { attributes: (pk: string) => attributes.get(pk), history };
}

/** As Athena answers: text, and times with a blank. */
const asked = (history: readonly HistoryRow[]) =>
  toldRows(
    history.map((row) =>
      badgeHistory.columns.map(({ name, type }) => {
        const value = row[name];
        if (value === undefined || value === null) return null;
        return type === 'timestamp' ? String(value).replace('T', ' ').replace('Z', '') : String(value);
      }),
    ),
  );

function lookup(
  world: World,
  order: readonly string[],
  { position = (_: string): string => '000001:000000027C000080:0000000001', given = policy as BadgePolicy } = {},
) {
  const { attributes, history } = tableOf(world, position);
  const answers = evaluate(itemsOf(world), { skus: ['A'], fcs: order }, given, noon);
  const [answer] = withReceipts(attributes, answers, order, given, noon);
  return { answer: answer!, history };
}

const receiptOf = ({ receipt }: ReceiptedAnswer): Receipt => decodeReceipt(receipt) as Receipt;
const again = (answer: ReceiptedAnswer, history: readonly HistoryRow[]): ReEvaluation =>
  reEvaluate(receiptOf(answer), asked(history));

test('every answer is computed again from the history, to the byte', () => {
  fc.assert(
    fc.property(worlds, someFcs, fc.array(positions, { minLength: 5, maxLength: 5 }), (world, order, some) => {
      const { answer, history } = lookup(world, order, { position: (pk) => some[pk.length % some.length]! });

      const result = again(answer, history);

      expect(result.outcome).toBe('same');
      if (result.outcome !== 'same') return;
      expect(JSON.stringify({ ...result.answer, receipt: answer.receipt })).toBe(JSON.stringify(answer));
      expect(explain(result.answer, result.facts, result.told).join('\n')).toContain(answer.reason);
    }),
    { numRuns: 300, seed: 31 },
  );
});

test('a row that the history does not have is named', () => {
  fc.assert(
    fc.property(worlds, someFcs, fc.nat(), (world, order, at) => {
      const { answer, history } = lookup(world, order);
      const left = history.filter((_, index) => index !== at % history.length);
      const { kind, item } = history[at % history.length]!;

      const result = again(answer, left);

      // One that was not used is not missed.
      if (result.outcome !== 'same')
        expect(result).toMatchObject({
          outcome: 'not-found',
          missing: [expect.stringContaining(`${kind} ${item} at`)],
        });
      else expect(JSON.stringify(result.answer)).toBe(JSON.stringify({ ...answer, receipt: undefined }));
    }),
    { numRuns: 200, seed: 32 },
  );
});

describe('what was changed afterwards is found out', () => {
  const { answer, history } = lookup(
    {
      ...allIsWell,
      skus: { A: { status: 'active', safetyStock: 1, heldSince: new Date(noon.getTime() - 30_000).toISOString() } },
      stock: {
        'A#FC1': { onHand: 10, reserved: 3, expiresAt: noon.getTime() / 1_000 - 5 },
        'A#FC2': { onHand: 0, reserved: 0 },
      },
      centres: { ...allIsWell.centres, FC1: { ...allIsWell.centres.FC1!, promised: { [day]: 7 } } },
    },
    ['FC1', 'FC2'],
  );
  const changes: [string, string, Partial<HistoryRow>][] = [
    ['sku', 'sku#A', { status: 'paused' }],
    ['sku', 'sku#A', { category: 'other' }],
    ['sku', 'sku#A', { safety_stock: 2 }],
    ['sku', 'sku#A', { reorder_point: 9 }],
    ['sku', 'sku#A', { committed_at: '2026-11-22T10:58:00.124Z' }],
    ['sku', 'sku#A', { deleted: 1 }],
    ['stock', 'stock#A#FC2', { on_hand: -1 }],
    ['stock', 'stock#A#FC2', { reserved: 1 }],
    ['centre', 'centre#FC2', { daily_capacity: 101 }],
    ['centre', 'centre#FC2', { cutoff: '14:01' }],
    ['centre', 'centre#FC2', { time_zone: 'Europe/Paris' }],
    ['count', 'centre#FC1', { orders: 8 }],
    ['count', 'centre#FC1', { day: '2026-11-23' }],
    ['held', 'sku#A', { held_since: '2026-11-22T10:00:00.000Z' }],
    ['end', 'stock#A#FC1', { ends_at: '2026-11-22T12:00:00.000Z' }],
    ['policy', 'policy', { policy: JSON.stringify({ ...policy, safetyStock: 9 }) }],
    ['policy', 'policy', { policy: 'none' }],
  ];

  test.each(changes)('%s %s %j', (kind, item, change) => {
    const changed = history.map((row) =>
      row.kind === kind && row.item === item ? ({ ...row, ...change } as HistoryRow) : row,
    );

    expect(again(answer, history).outcome).toBe('same');
    expect(changed).not.toEqual(history);
    expect(again(answer, changed).outcome).toBe('contradicted');
  });

  test('a beat', () => {
    const { beats } = receiptOf(answer);
    const changed = history.map((row) =>
      row.item === `beats#orders#${beats.orders.slot}` ? { ...row, beat_at: '2026-11-22T10:00:00.000Z' } : row,
    );

    expect(again(answer, changed).outcome).toBe('contradicted');
  });

  test('a row beside itself', () => {
    const row = history.find(({ kind }) => kind === 'stock')!;

    expect(again(answer, [...history, { ...row, readable_at: noon.toISOString() }]).outcome).toBe('same');
    expect(again(answer, [...history, { ...row, on_hand: 99 }])).toMatchObject({
      outcome: 'contradicted',
      reason: 'the history contradicts itself about stock#A#FC1 at 000001:000000027C000080:0000000001',
    });
  });

  test('any letter of the receipt', () => {
    const { receipt } = answer;
    for (let at = 0; at < receipt.length; at++) {
      const changed = `${receipt.slice(0, at)}${receipt[at] === 'A' ? 'B' : 'A'}${receipt.slice(at + 1)}`;
      const decoded = decodeReceipt(changed);

      if ('reason' in decoded) continue;
      expect([at, reEvaluate(decoded, asked(history)).outcome]).not.toEqual([at, 'same']);
    }
  });
});

test('a policy version that stood for two policies is the one that was answered under', () => {
  const { answer, history } = lookup(allIsWell, ['FC1']);
  const other = policyRow(policy.version, JSON.stringify({ ...policy, capacityShare: 0 }), readableAt);

  expect(again(answer, [other, ...history]).outcome).toBe('same');
});

test('a receipt is small: a few hundred letters, whatever centre it is', () => {
  const one = lookup(allIsWell, ['FC1']).answer.receipt;
  const worst = lookup({ ...allIsWell, stock: {} }, fcs).answer.receipt;

  expect(one.length).toBeLessThan(160);
  expect(worst.length).toBeLessThan(260);
});

test('receipts are written and read without loss', () => {
  const time = fc.option(fc.integer({ min: 0, max: 4_102_444_800_000 }), { nil: undefined });
  const compact = <T extends object>(given: T) =>
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
  const item = fc
    .record({ position: fc.option(positions, { nil: undefined }), heldSince: time, endedAt: time })
    .map(compact) as fc.Arbitrary<object>;
  const beat = fc.record({ slot: fc.constantFrom('beat-3', 'beat-5584'), position: positions });
  const receipts = fc.record({
    digest: fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    evaluatedAt: fc.integer({ min: 0, max: 4_102_444_800_000 }),
    policyVersion: fc.constantFrom('1', '2026-11-28 übermorgen'),
    sku: fc.constantFrom('A', 'S'.repeat(64)),
    item,
    beats: fc.record({ inventory: beat, orders: beat }),
    centres: fc.array(
      fc.record({
        fc: fc.constantFrom('FC1', 'x'),
        centre: item,
        count: fc.constantFrom({}, { version: countsVersion }),
        stock: item,
      }),
      { maxLength: 4 },
    ),
  }) as fc.Arbitrary<Receipt>;
  fc.assert(
    fc.property(receipts, (receipt) => {
      expect(decodeReceipt(encodeReceipt(receipt))).toEqual(receipt);
    }),
    { numRuns: 300, seed: 33 },
  );
});

test.each([
  ['', 'a receipt is text of A-Z a-z 0-9 _ -'],
  ['not base64!', 'a receipt is text of A-Z a-z 0-9 _ -'],
  ['AgAA', 'got a receipt of version 2, allowed: 1'],
  ['AQ', 'got a receipt that ends too early, or was changed'],
])('what is no receipt is said: %s', (text, reason) => {
  expect(decodeReceipt(text)).toEqual({ reason });
});
