import { type BadgeAnswer, type BadgePolicy, evaluate } from '../../../lambdas/base/domain/badge';
import { ago, allIsWell, beatsAt, centre, itemsOf, noon, policy, type World } from './badge-world';

function answer(world: Partial<World>, fcs = ['FC1'], given: Partial<BadgePolicy> = {}, now = noon): BadgeAnswer {
  const request = { skus: ['A'], fcs };
  return evaluate(itemsOf({ ...allIsWell, ...world }), request, { ...policy, ...given }, now)[0]!;
}

const fresh = { beats: beatsAt(ago(10)) };
const old = { beats: beatsAt(ago(10), { 'beat-3': ago(301) }) };
const active = { status: 'active' };

describe('reasons', () => {
  test('what is in stock has its badge, and the answer says from where, how many and how old', () => {
    expect(answer({})).toEqual({
      sku: 'A',
      badge: true,
      reason: 'in-stock',
      fc: 'FC1',
      available: 5,
      asOf: ago(10),
      ageSeconds: 10,
      stale: false,
    });
  });

  test.each<[string, Partial<World>]>([
    ['unknown-sku', { skus: {} }],
    ['unknown-sku', { skus: { A: { heldSince: ago(5) } } }],
    ['unknown-sku', { skus: { A: { status: 'archived' } } }],
    ['discontinued', { skus: { A: { status: 'discontinued' } } }],
    ['paused', { skus: { A: { status: 'paused' } } }],
    ['unknown-fc', { centres: {} }],
    ['unknown-fc', { centres: { FC1: { promised: { '2026-11-22': 1 } } } }],
    ['unknown-fc', { centres: { FC1: { ...centre, timeZone: 'Europe/Atlantis' } } }],
    ['unknown-fc', { centres: { FC1: { ...centre, cutoff: '25:00' } } }],
    ['stale', { beats: { inventory: old, orders: fresh } }],
    ['stale', { beats: { inventory: fresh, orders: old } }],
    ['stale', { beats: { inventory: fresh } }],
    ['stale', { beats: { inventory: fresh, orders: { ...fresh, heldSince: ago(400) } } }],
    ['stale', { skus: { A: { ...active, heldSince: ago(400) } } }],
    ['stale', { stock: { 'A#FC1': { onHand: 10, reserved: 0, heldSince: ago(400) } } }],
    ['stale', { stock: { 'A#FC1': { heldSince: ago(400) } } }],
    ['stale', { centres: { FC1: { ...centre, heldSince: ago(400) } } }],
    ['not-stocked', { stock: {} }],
    ['not-stocked', { stock: { 'A#FC1': { heldSince: ago(5) } } }],
    ['not-stocked', { stock: { 'A#FC1': { onHand: 10, reserved: 0, expiresAt: noon.getTime() / 1_000 } } }],
    ['out-of-stock', { stock: { 'A#FC1': { onHand: 5, reserved: 3 } } }],
    ['out-of-stock', { skus: { A: { ...active, safetyStock: 7 } } }],
    ['past-cutoff', { centres: { FC1: { ...centre, cutoff: '12:00' } } }],
    ['fc-at-capacity', { centres: { FC1: { ...centre, promised: { '2026-11-22': 90 } } } }],
    ['in-stock', { centres: { FC1: { ...centre, promised: { '2026-11-22': 89, '2026-11-23': 100 } } } }],
    ['in-stock', { stock: { 'A#FC1': { onHand: 10, reserved: 0, expiresAt: noon.getTime() / 1_000 + 1 } } }],
    ['in-stock', { skus: { A: { ...active, safetyStock: 6 } } }],
    ['in-stock', { skus: { A: { ...active, safetyStock: 0 } }, stock: { 'A#FC1': { onHand: 1, reserved: 0 } } }],
  ])('%s: %j', (reason, world) => {
    const given = answer(world);

    expect([given.reason, given.badge]).toEqual([reason, reason === 'in-stock']);
  });

  test('the first that applies is the one that is given', () => {
    const nothing = { beats: { inventory: old, orders: old }, stock: {}, centres: {} };

    expect(answer({ ...nothing, skus: {} }).reason).toBe('unknown-sku');
    expect(answer({ ...nothing, skus: { A: { status: 'paused' } } }).reason).toBe('paused');
    expect(answer(nothing).reason).toBe('unknown-fc');
    expect(answer({ ...nothing, centres: { FC1: centre } }).reason).toBe('stale');
  });

  test('reasons of the SKU name no centre, and need no orders', () => {
    const given = answer({ skus: { A: { status: 'discontinued' } }, beats: { inventory: fresh } });

    expect(given).toMatchObject({ fc: null, available: 0, asOf: ago(10), stale: false });
  });

  test('a limit that is not exact in binary lets no order too many in', () => {
    const full = { FC1: { ...centre, promised: { '2026-11-22': 7 } } };

    expect(answer({ centres: full }, ['FC1'], { capacityShare: 0.07 }).reason).toBe('fc-at-capacity');
  });

  test('what cannot be never adds to the stock', () => {
    const stock = { 'A#FC1': { onHand: 3.9, reserved: -50 } };

    expect(answer({ skus: { A: { ...active, safetyStock: -50 } }, stock }).available).toBe(3);
    expect(answer({ stock: { 'A#FC1': { onHand: -4, reserved: 0 } } }).available).toBe(0);
  });
});

describe('centres', () => {
  test('the first that can serve wins, in the order of the request', () => {
    expect(answer({}, ['FC1', 'FC2']).fc).toBe('FC1');
    expect(answer({}, ['FC2', 'FC1'])).toMatchObject({ fc: 'FC2', available: 38 });
  });

  test('a nearer one that is unknown, stale or sold out does not stand in the way', () => {
    const { 'A#FC2': elsewhere } = allIsWell.stock;
    const held = { 'A#FC1': { onHand: 10, reserved: 0, heldSince: ago(900) }, 'A#FC2': elsewhere! };

    expect(answer({ stock: { 'A#FC2': elsewhere! } }, ['FC1', 'FC2']).fc).toBe('FC2');
    expect(answer({ centres: { FC2: centre } }, ['FC1', 'FC2']).fc).toBe('FC2');
    expect(answer({ stock: held }, ['FC1', 'FC2'])).toMatchObject({ badge: true, fc: 'FC2', asOf: ago(10) });
  });

  test('when none can serve, the one that got furthest is named, of several the nearest', () => {
    const closed = { ...centre, cutoff: '09:00' };

    expect(answer({ stock: {}, centres: { FC2: centre } }, ['FC1', 'FC2'])).toMatchObject({
      reason: 'not-stocked',
      fc: 'FC2',
    });
    expect(answer({ centres: { FC1: closed, FC2: closed } }, ['FC2', 'FC1'])).toMatchObject({
      reason: 'past-cutoff',
      fc: 'FC2',
    });
  });

  test('a refusal is as old as the oldest of all centres that could have changed it', () => {
    const stock = { 'A#FC1': { onHand: 0, reserved: 0 }, 'A#FC2': { onHand: 0, reserved: 0, heldSince: ago(200) } };

    expect(answer({ stock }, ['FC1', 'FC2'])).toMatchObject({ reason: 'out-of-stock', fc: 'FC1', ageSeconds: 200 });
  });
});

describe('age', () => {
  test.each([
    ['a beat is missing', { beats: Object.fromEntries(Object.entries(fresh.beats).slice(1)) }],
    ['a beat cannot be read', { beats: beatsAt(ago(10), { 'beat-82': 'yesterday' }) }],
    ['what is held cannot be dated', { ...fresh, heldSince: 'unknown' }],
    [
      'another beat stands for it',
      { beats: { ...Object.fromEntries(Object.entries(fresh.beats).slice(1)), other: ago(1) } },
    ],
    ['nothing was ever heard', undefined],
  ])('no age can be said when %s', (_, inventory) => {
    const beats = { orders: fresh, ...(inventory && { inventory }) };

    expect(answer({ beats })).toMatchObject({ reason: 'stale', asOf: null, ageSeconds: null, stale: true });
  });

  test('is the maximum at most, and rounded up', () => {
    const beats = (seconds: number) => ({ inventory: fresh, orders: { beats: beatsAt(ago(seconds)) } });

    expect(answer({ beats: beats(300) })).toMatchObject({ reason: 'in-stock', ageSeconds: 300, stale: false });
    expect(answer({ beats: beats(300.001) })).toMatchObject({ reason: 'stale', ageSeconds: 301, stale: true });
  });

  test('is never negative, whatever a source thinks the time is', () => {
    const ahead = { beats: beatsAt(ago(-60)) };

    expect(answer({ beats: { inventory: ahead, orders: ahead } })).toMatchObject({
      reason: 'in-stock',
      ageSeconds: 0,
      asOf: noon.toISOString(),
    });
  });
});
