import { createWriteStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { createGzip } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';

const usage = `Converts baskets of the Complete Journey data set (84.51, CC0) into sale events, one JSON object a line.

  node build/bin/convert-complete-journey.js --transactions transactions.parquet --products products.parquet
       --output sales.ndjson[.gz] [--count 2000] [--faults]

  --count   how many baskets, oldest first; all when absent
  --faults  adds what a real day has: repeats, a few returns, conflicting and malformed events (fixed places)`;

/** Well-known test numbers of the card networks: the data set has no cards. One per household, so that cards come again. */
const testCards = [
  '4111111111111111',
  '4012888888881881',
  '5555555555554444',
  '5105105105105100',
  '2223003122003222',
  '378282246310005',
  '371449635398431',
  '6011111111111117',
  '6011000990139424',
  '30569309025904',
  '3530111333300000',
];

interface Basket {
  readonly basket_id: string;
  readonly household_id: number;
  readonly store_id: number;
  readonly occurred_at: string;
  readonly coupons: number;
  readonly lines: readonly {
    readonly sku: string;
    readonly category: string;
    readonly quantity: number;
    /** Cents, after the shelf discount. */
    readonly value: number;
    readonly discount: number;
  }[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      transactions: { type: 'string' },
      products: { type: 'string' },
      output: { type: 'string' },
      count: { type: 'string' },
      faults: { type: 'boolean', default: false },
    },
  });
  const { transactions, products, output, count, faults } = values;
  if (transactions === undefined || products === undefined || output === undefined) throw new Error(usage);

  const file = createWriteStream(output);
  const target = output.endsWith('.gz') ? createGzip({ level: 9 }) : file;
  if (target !== file) target.pipe(file);
  const baskets = await readBaskets(transactions, products, count === undefined ? undefined : Number(count));
  baskets.forEach((basket, index) => {
    const event = saleOf(basket);
    const lines = faults ? withFaults(event, index) : [JSON.stringify(event)];
    for (const line of lines) target.write(`${line}\n`);
  });
  target.end();
  await new Promise<void>((finished) => file.on('finish', finished));
  console.log(`${baskets.length} baskets written to ${output}`);
}

async function readBaskets(transactions: string, products: string, count: number | undefined): Promise<Basket[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const quote = (path: string) => `'${path.replaceAll("'", "''")}'`;
  const reader = await connection.runAndReadAll(`
    WITH lines AS (
      SELECT t.*, p.product_category,
             CAST(round(sales_value * 100) AS INTEGER) AS value,
             CAST(round(retail_disc * 100) AS INTEGER) AS discount,
             CAST(round((coupon_disc + coupon_match_disc) * 100) AS INTEGER) AS coupon
      FROM read_parquet(${quote(transactions)}) t LEFT JOIN read_parquet(${quote(products)}) p USING (product_id)
    )
    SELECT CAST(basket_id AS VARCHAR) AS basket_id,
           CAST(any_value(household_id) AS INTEGER) AS household_id,
           CAST(any_value(store_id) AS INTEGER) AS store_id,
           strftime(min(transaction_timestamp), '%Y-%m-%dT%H:%M:%S.000Z') AS occurred_at,
           CAST(sum(coupon) AS INTEGER) AS coupons,
           to_json(list({ sku: CAST(product_id AS VARCHAR), category: coalesce(product_category, ''),
                          quantity: CAST(quantity AS INTEGER), value: value, discount: discount } ORDER BY product_id)) AS lines
    FROM lines GROUP BY basket_id ORDER BY occurred_at, basket_id ${count === undefined ? '' : `LIMIT ${count}`}`);
  return reader
    .getRowObjectsJson()
    .map((row) => ({ ...row, lines: JSON.parse(String(row.lines)) }) as unknown as Basket);
}

function saleOf({ basket_id, household_id, store_id, occurred_at, coupons, lines }: Basket) {
  const due = lines.reduce((sum, { value }) => sum + value, 0);
  const byCoupon = Math.min(coupons, due);
  const card = testCards[household_id % testCards.length]!;
  const paid = { type: 'card', gateway: 'adyen', gatewayReference: `CJ${basket_id}` };
  const tender =
    household_id % 5 === 0
      ? { type: 'cash', amount: due - byCoupon }
      : { ...paid, amount: due - byCoupon, card: { number: card, expiryMonth: 12, expiryYear: 2029 } };
  return {
    source: store_id % 9 === 0 ? 'web-us' : 'pos-us',
    transactionId: `CJ-${basket_id}`,
    type: 'sale' as const,
    channel: store_id % 9 === 0 ? 'online' : 'store',
    region: ['us-east', 'us-midwest', 'us-south', 'us-west'][store_id % 4]!,
    location: `store-${store_id}`,
    occurredAt: occurred_at,
    currency: 'USD',
    customerId: `household-${household_id}`,
    lines: lines.map((line, index) => lineOf(line, index + 1)),
    tenders: byCoupon > 0 ? [tender, { type: 'other', amount: byCoupon }] : [tender],
  };
}

/** Weighed goods, fuel and values that do not divide by their quantity become one unit at the line's value. */
function lineOf({ sku, category, quantity, value, discount }: Basket['lines'][number], line: number) {
  const gross = value + discount;
  const divides = quantity >= 1 && quantity <= 1_000 && gross % quantity === 0;
  return {
    line,
    sku,
    quantity: divides ? quantity : 1,
    unitPrice: divides ? gross / quantity : gross,
    discount,
    ...(category === '' ? {} : { category: category.toLowerCase() }),
  };
}

type SaleEvent = ReturnType<typeof saleOf>;

function withFaults(event: SaleEvent, index: number): string[] {
  const line = JSON.stringify(event);
  if (index % 20 === 3) return [line, line];
  if (index % 97 === 5)
    return [line, JSON.stringify({ ...event, lines: event.lines.slice(0, 1), note: 'sent again with another body' })];
  if (index % 61 === 7)
    return [
      line,
      JSON.stringify({
        ...event,
        type: 'return',
        transactionId: `${event.transactionId}-R`,
        originalTransactionId: event.transactionId,
      }),
    ];
  if (index % 101 === 11)
    return [line, JSON.stringify({ ...event, transactionId: `${event.transactionId}-B`, currency: 'XXQ' })];
  if (index % 103 === 13) return [line, `${line.slice(0, 40)}`];
  if (index % 89 === 17) return [JSON.stringify({ ...event, note: `paid with ${testCards[0]}, card worn out` })];
  return [line];
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
