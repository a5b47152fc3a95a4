import fc from 'fast-check';
import { parseSale, type Sale } from '../../../lambdas/base/domain/sale';
import { type Column, lineRowsOf, saleLines, saleTenders, tenderRowsOf } from '../../../lambdas/base/domain/sale-rows';
import type { StreamRecord } from '../../../lambdas/base/runtime/stream-batch';
import { digestOf } from '../../../lambdas/refine/dedup/digest';
import { countsOf, packedSale } from '../../../lambdas/serve/inventory/count/pack';
import { lineProtocol } from '../../../lambdas/serve/merchandising/influxdb/line-protocol';
import { pointsOf } from '../../../lambdas/serve/merchandising/points';
import { aSale } from '../../engine-rig/sales';

// A record that a reader chokes on would stand in its shard until the stream forgets it: it must be held instead.
const full: Sale = aSale({ businessDate: '2026-11-22', customerId: 'c-1', note: 'x', originalTransactionId: 'T-0' });
const line = { ...full.lines[0]!, discount: 1, tax: 1 };
const card = { ...full.tenders[0]!.card!, country: 'IE', funding: 'debit' };
const tender = { ...full.tenders[0]!, gatewayReference: 'r', card };

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('2026', '2026-02-30', 'Nov 22, 2026', '+275760-09-13T00:00:00Z', '2026-11-22T24:00:00Z', -1, 2 ** 53),
);
const put = <T extends object>(whole: T) =>
  fc.tuple(fc.constantFrom(...Object.keys(whole)), odd).map(([field, value]) => ({ ...whole, [field]: value }));
const records = fc.oneof(
  put(full),
  put(line).map((changed) => ({ ...full, lines: [changed] })),
  put(tender).map((changed) => ({ ...full, tenders: [changed] })),
  put(card).map((changed) => ({ ...full, tenders: [{ ...tender, card: changed }] })),
);

const fits = ({ name, type, optional }: Column, row: Record<string, unknown>) => {
  const value = row[name];
  if (value === undefined) return optional === true;
  return type === 'bigint' ? Number.isInteger(value) : typeof value === 'string';
};

test('whatever is read as a sale, every reader can process', () => {
  fc.assert(
    fc.property(records, (record) => {
      const sale = parseSale(JSON.stringify(record));
      if ('reason' in sale) return;

      digestOf(sale);
      for (const point of pointsOf(sale)) expect(lineProtocol(point)).not.toContain('\n');
      const counts = countsOf([packedSale({ key: 'k', record: { position: 'p' } as StreamRecord, sale })]);
      for (const { lines, sold } of counts) {
        expect([lines, ...sold.values()].every(Number.isSafeInteger)).toBe(true);
        expect([...sold.keys()]).toEqual([expect.stringMatching(/^-?[0-9a-z]+$/)]);
      }
      for (const row of lineRowsOf(sale)) expect(saleLines.columns.filter((each) => !fits(each, row))).toEqual([]);
      for (const row of tenderRowsOf(sale)) expect(saleTenders.columns.filter((each) => !fits(each, row))).toEqual([]);
      for (const { business_date } of lineRowsOf(sale))
        expect(new Date(business_date).toISOString()).toContain(business_date);
    }),
    { seed: 20261122, numRuns: 5_000 },
  );
});
