import { bestSellers } from '../../../local/demonstration/baskets';
import { centres, type Happening, Retailer, type SoldBasket } from '../../../local/demonstration/retailer';

const skus = ['lamp', 'chair', 'cup', 'tea'];
const regions = ['us-west', 'us-midwest', 'us-east', 'us-south', 'nowhere'];

/** Always the same baskets. */
function basket(number: number): SoldBasket {
  return {
    region: regions[number % regions.length]!,
    channel: number % 7 === 0 ? 'online' : 'store',
    type: number % 31 === 0 ? 'return' : 'sale',
    lines: [
      { sku: skus[number % skus.length]!, quantity: 1 + (number % 3) },
      { sku: 'not ours', quantity: 9 },
    ],
  };
}

function day(baskets: number, seed = 1): Happening[] {
  const retailer = new Retailer(skus, seed);
  const happenings = retailer.opening();
  for (let number = 0; number < baskets; number++) happenings.push(...retailer.sell(basket(number)));
  return happenings;
}

test('the same baskets and seed make the same day, another seed another', () => {
  expect(day(500)).toEqual(day(500));
  expect(day(500, 2)).not.toEqual(day(500));
});

test('a day holds all that makes badges go on and off', () => {
  const stock = new Map<string, number>();
  const status = new Map<string, string>();
  const seen = new Set<string>();
  for (const each of day(1_000)) {
    if (each.kind === 'stock') {
      expect(each.onHand).toBeGreaterThanOrEqual(0);
      const place = `${each.sku} ${each.fc}`;
      if (each.onHand === 0) seen.add('sold out');
      if (stock.get(place) === 0 && each.onHand > 0) seen.add('restocked');
      stock.set(place, each.onHand);
    }
    if (each.kind === 'status') {
      if (each.status === 'active' && status.get(each.sku) === 'paused') seen.add('goes on');
      if (each.status === 'active' && status.get(each.sku) === 'discontinued') seen.add('reactivated');
      if (each.status !== 'active') seen.add(each.status);
      status.set(each.sku, each.status);
    }
    if (each.kind === 'order') seen.add('ordered');
    if (each.kind === 'order-status') seen.add(each.status);
  }

  expect([...seen].sort()).toEqual([
    ...['cancelled', 'discontinued', 'goes on', 'ordered', 'paused', 'reactivated', 'restocked', 'shipped', 'sold out'],
  ]);
  expect([...stock.keys()].some((place) => place.startsWith('not ours'))).toBe(false);
});

test('orders fill a centre for the day and no more, until some are cancelled', () => {
  const open = new Map<string, Set<string>>(centres.map(({ fc }) => [fc, new Set()]));
  const wasFull = new Set<string>();
  const wasFreed = new Set<string>();
  for (const each of day(1_000)) {
    if (each.kind === 'order') open.get(each.fc)!.add(each.id);
    for (const { fc, dailyCapacity } of centres) {
      const orders = open.get(fc)!;
      if (each.kind === 'order-status' && each.status === 'cancelled' && orders.delete(each.id) && wasFull.has(fc))
        wasFreed.add(fc);
      expect(orders.size).toBeLessThanOrEqual(dailyCapacity);
      if (orders.size === dailyCapacity) wasFull.add(fc);
    }
  }

  expect([...wasFull].sort()).toEqual(centres.map(({ fc }) => fc).sort());
  expect([...wasFreed].sort()).toEqual(centres.map(({ fc }) => fc).sort());
});

test('what is not active sells nowhere', () => {
  const status = new Map<string, string>();
  for (const each of day(1_000)) {
    if (each.kind === 'status') status.set(each.sku, each.status);
    if (each.kind === 'order') for (const { sku } of each.lines) expect(status.get(sku)).toBe('active');
  }
});

test('best sellers are the items of most baskets', () => {
  const baskets = [0, 4, 8, 1, 5, 2].map(basket);

  expect(bestSellers(baskets, 3)).toEqual(['not ours', 'lamp', 'chair']);
});
