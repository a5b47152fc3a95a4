import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeFolder } from './folder';
import { makeSale, type SaleEvent, totalsOf, unitsOf } from './sales';

const folder = makeFolder('once');
const report = join(folder, 'report.json');
const state = join(folder, 'state');

const plain = Array.from({ length: 400 }, (_, number) => makeSale(number + 1));
const long = makeSale(1_000, {
  lines: Array.from({ length: 1_000 }, (_, index) => ({
    line: index + 1,
    sku: `LONG-${index}`,
    quantity: 2,
    unitPrice: index,
  })),
});
const free = makeSale(1_001, { lines: [{ line: 1, sku: 'FREE', quantity: 3, unitPrice: 0 }] });
const sales: SaleEvent[] = [...plain, long, free];
const repeats = plain.filter((_, index) => index % 40 === 0);
const conflict = { ...plain[7]!, note: 'the same key with another body' };
const unknownCurrency = makeSale(2_000, { currency: 'XXQ' });
const nothingSold = makeSale(2_001, { lines: [] });
const tooLong = makeSale(2_002, { note: 'x'.repeat(300_000) });
const longerThanAnyRequest = makeSale(2_003, { note: 'x'.repeat(5_000_000) });
const refused = [unknownCurrency, nothingSold, tooLong, longerThanAnyRequest, 17, 'a text', null, [plain[0]]];

/** `npm start -- --once` on a file with everything a real day has. */
describe('a file sent once through the whole platform', () => {
  let result: any;

  beforeAll(async () => {
    const lines = [...sales, ...repeats, ...repeats, conflict, ...refused].map((event) => JSON.stringify(event));
    lines.splice(5, 0, '{"source": "pos-eu", "transac');
    writeFileSync(join(folder, 'sales.ndjson'), `${lines.join('\n')}\n`);

    const program = [
      'build/bin/local.js',
      '--once',
      '--input',
      join(folder, 'sales.ndjson'),
      '--report',
      report,
      '--state',
      state,
    ];
    await promisify(execFile)(process.execPath, program, { maxBuffer: 1 << 24 });
    result = JSON.parse(readFileSync(report, 'utf8'));
  }, 240_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('every event is answered', () => {
    const accepted = sales.length + 2 * repeats.length + 1;

    expect(result.ingest).toMatchObject({
      received: accepted + refused.length,
      accepted,
      rejected: refused.length,
      warnings: 0,
    });
  });

  test('a line that is no JSON is named and stops nothing', () => {
    expect(result.ingest.malformed).toEqual([`${join(folder, 'sales.ndjson')}:6`]);
  });

  test('repeats and conflicts are told from sales', () => {
    expect(result.dedup).toEqual({ unique: sales.length, duplicates: 2 * repeats.length, conflicts: 1 });
  });

  test.each(['merchandising', 'finance', 'lake'])('%s agrees with the input to the unit and the cent', (store) => {
    expect(result.stores[store]).toEqual(totalsOf(sales));
  });

  test('inventory agrees with the input to the unit', () => {
    expect(result.stores.inventory).toEqual(unitsOf(sales));
  });

  test('each card is in the vault once, and its number nowhere else', () => {
    expect(result.vault).toEqual({ cards: 5 });
    expect(result.cardNumberFindings).toEqual([]);
    expect(result.cardNumbersOutsideVault).toBe(0);
  });

  test('the report says how long everything took', () => {
    expect(result.seconds).toEqual({ boot: expect.any(Number), ingest: expect.any(Number), drain: expect.any(Number) });
    expect(result.salesPerSecond).toBeGreaterThan(0);
  });

  test('nothing is held', () => {
    expect(result.held).toBe(0);
  });

  test('a claim costs one write unit a sale, and one a repeat', () => {
    const claims = Object.entries<{ writeUnits: number }>(result.billed.dynamodb).find(([table]) =>
      table.includes('-Refine-'),
    );

    const perSale = claims![1].writeUnits / result.dedup.unique;
    expect(perSale).toBeGreaterThanOrEqual(1);
    expect(perSale).toBeLessThanOrEqual(1.1);
  });
});
