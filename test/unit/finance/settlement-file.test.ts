import { Readable } from 'node:stream';
import fc from 'fast-check';
import { currencies } from '../../../lambdas/base/domain/currencies';
import { csvRows } from '../../../lambdas/serve/finance/settlement/csv-rows';
import { gateways } from '../../../lambdas/serve/finance/settlement/gateways/all';
import type { Issue } from '../../../lambdas/serve/finance/settlement/issue';
import { SettlementFile } from '../../../lambdas/serve/finance/settlement/settlement-file';
import type { SettlementLine } from '../../../lambdas/serve/finance/settlement/settlement-line';
import { batchName, type Settled, settledKinds, settlementFile, someSettled } from '../../engine-rig/settlements';

const names = ['adyen', 'stripe', 'braintree'] as const;
const mappingOf = (name: string) => gateways.find(({ gateway }) => gateway === name)!;

/** Checks a file, and reads its lines if it is right. */
async function read(gateway: string, text: string) {
  const file = new SettlementFile(mappingOf(gateway));
  const cells: (readonly string[])[] = [];
  for await (const row of csvRows(Readable.from([Buffer.from(text)])).rows) {
    cells.push(row);
    if (!file.take(row)) break;
  }
  file.end();
  const isRight = file.issues.count === 0;
  const lines = isRight ? cells.slice(1).map((row, index) => file.lineOf(row, index + 1)) : [];
  return { file, lines, issues: file.issues.told as readonly Issue[] };
}

/** The file with one cell changed. */
function withCell(text: string, row: number, column: string, value: string): string {
  const lines = text.trimEnd().split('\n');
  const place = lines[0]!.split(',').indexOf(column);
  const cells = lines[row]!.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/);
  cells[place] = value;
  lines[row] = cells.join(',');
  return `${lines.join('\n')}\n`;
}

const small = someSettled('1001', 12);

describe.each(names)("a file of %s's", (name) => {
  const small = someSettled('1001', 12, 'EUR', '2026-11-24', settledKinds[name]);
  // One report knows no time of day.
  const timeOf = (occurredAt: string) => (name === 'braintree' ? undefined : occurredAt);

  test('is read to the cent, in one form for all gateways', async () => {
    const { lines, issues } = await read(name, settlementFile[name](small));

    expect(issues).toEqual([]);
    const settled = lines.filter(({ kind }) => kind !== 'payout');
    expect(settled.map(({ kind, gross, fee, net }) => ({ kind, gross, fee, net }))).toEqual(
      small.settled.map(({ kind, gross, fee }) => ({ kind, gross, fee, net: gross - fee })),
    );
    expect(
      settled.slice(0, 12).map(({ gatewayReference, merchantReference, occurredAt }) => ({
        reference: gatewayReference,
        merchantReference,
        occurredAt: occurredAt?.toISOString().replace('.000Z', 'Z'),
      })),
    ).toEqual(
      small.settled.slice(0, 12).map(({ reference, merchantReference, occurredAt }) => ({
        reference,
        merchantReference,
        occurredAt: timeOf(occurredAt),
      })),
    );
    for (const line of lines) {
      expect(line).toMatchObject({ gateway: name, currency: 'EUR', settledDate: '2026-11-24' });
      expect(line.batch).toBe(batchName(name, small));
      expect(line.net).toBe(line.gross - line.fee);
      expect(line.originalGross).toBe(line.gross);
    }
    expect(lines.find(({ kind }) => kind === 'refund')!.paymentReference).toBe('pay-1001-6');
  });

  test('says the same whatever is settled, in every currency', async () => {
    const amount = fc.integer({ min: 1, max: 1_000_000_000 });
    const settled: fc.Arbitrary<Settled> = fc
      .record({
        kind: fc.constantFrom(...settledKinds[name]),
        reference: fc.stringMatching(/^[a-z]{3,12}$/),
        merchantReference: fc.stringMatching(/^[A-Z]{3,12}$/),
        occurredAt: fc
          .date({ min: new Date('2020-01-01'), max: new Date('2029-12-31'), noInvalidDate: true })
          .map((date) => `${date.toISOString().slice(0, 19)}Z`),
        gross: amount,
        fee: fc.integer({ min: 0, max: 100_000 }),
      })
      .map(({ gross, ...said }) => ({
        ...said,
        gross: said.kind === 'fee' ? 0 : ['refund', 'chargeback'].includes(said.kind) ? -gross : gross,
      }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(settled, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(...currencies),
        async (all, currency) => {
          const batch = { batch: 'b-1', currency, settledDate: '2029-12-31', settled: all };

          const { lines, file } = await read(name, settlementFile[name](batch));

          expect(file.issues.told).toEqual([]);
          expect(lines.filter(({ kind }) => kind !== 'payout').map(essence)).toEqual(
            all.map(({ kind, gross, fee, reference, merchantReference, occurredAt }) => ({
              kind,
              gross,
              fee,
              reference,
              merchantReference,
              occurredAt: timeOf(occurredAt),
              currency,
            })),
          );
        },
      ),
      { seed: 7, numRuns: 60 },
    );
  });

  test('gives each row an identity that is stable, and another one with any change', async () => {
    const text = settlementFile[name](small);
    const ids = (await read(name, text)).lines.map(({ id }) => id);

    const again = (await read(name, text)).lines.map(({ id }) => id);
    const other = (await read(name, settlementFile[name]({ ...small, batch: '1002' }))).lines.map(({ id }) => id);

    expect(again).toEqual(ids);
    expect(new Set([...ids, ...other]).size).toBe(2 * ids.length);
  });

  test('with another header is refused at the column that is another', async () => {
    const text = settlementFile[name](small);
    const { header } = mappingOf(name);

    const renamed = await read(name, text.replace(header[3]!, 'Something'));
    const more = await read(name, text.replace('\n', ',More\n'));
    const fewer = await read(name, text.replace(`,${header.at(-1)}\n`, '\n'));

    expect(renamed.issues).toEqual([
      { row: 0, field: header[3], problem: 'the header is another', got: 'Something', allowed: header[3] },
    ]);
    expect(more.issues[0]).toMatchObject({ problem: 'the header has another column', got: 'More' });
    expect(fewer.issues[0]).toMatchObject({ field: header.at(-1), got: '' });
  });

  test.each(gateways.find(({ gateway }) => gateway === name)!.header.map((column) => [column]))(
    'with a card number in %s is refused, and the number is nowhere in the report',
    async (column) => {
      for (const number of ['4111111111111111', '4111 1111 1111 1111', '"ref 4111-1111-1111-1111,"']) {
        const { issues } = await read(name, withCell(settlementFile[name](small), 3, column, number));

        expect(issues).toContainEqual({
          row: 3,
          field: column,
          problem: 'the cell holds a card number',
          allowed: 'no card number anywhere in the file',
        });
        expect(JSON.stringify(issues)).not.toMatch(/1111/);
      }
    },
  );

  test('with an unknown currency, kind or time is refused by row and field', async () => {
    const mapping = mappingOf(name);
    for (const [column, value, allowed] of [
      [mapping.currency, 'XXQ', 'a code of ISO 4217'],
      [mapping.kind.column, 'Nonsense', Object.keys(mapping.kind.kinds).join(', ')],
      mapping.occurredAt === undefined
        ? [mapping.settledDate!, '22/11/2026', 'yyyy-MM-dd']
        : [mapping.occurredAt.column, '22/11/2026', 'yyyy-MM-dd HH:mm:ss in a known zone'],
      [mapping.reference[0]!, '', '1 to 128 characters'],
    ] as const) {
      const text = withCell(settlementFile[name](small), 2, column, value);
      const { issues } = await read(
        name,
        name === 'stripe' && column === 'charge_id' ? withCell(text, 2, 'source_id', '') : text,
      );

      expect(issues[0]).toMatchObject({ row: 2, field: column, allowed });
    }
  });

  test('with rows that lack cells, or amounts that are none, tells them all', async () => {
    const amounts = { adyen: 'Net Credit (NC)', stripe: 'gross', braintree: 'Settlement Amount' };
    let text = withCell(settlementFile[name](small), 1, amounts[name], '12.345');
    text = withCell(text, 4, amounts[name], '"1,50"');
    const lines = text.split('\n');
    lines[6] = lines[6]!.replace(/,[^,]*$/, '');

    const { issues } = await read(name, lines.join('\n'));

    expect(issues).toEqual([
      {
        row: 1,
        field: amounts[name],
        problem: 'the cell is no amount',
        got: '12.345',
        allowed: expect.stringContaining('2 decimals in EUR'),
      },
      { row: 4, field: amounts[name], problem: 'the cell is no amount', got: '1,50', allowed: expect.any(String) },
      expect.objectContaining({ row: 6, problem: 'the row has another number of columns than the header' }),
    ]);
  });
});

test('a column more that costs nothing is no other header, wherever it stands', async () => {
  const text = settlementFile.adyen(small);
  const plain = await read('adyen', text);
  const more = text
    .trimEnd()
    .split('\n')
    .map((line, row) =>
      line.replace(/,([^,]*)$/, row === 0 ? ',Payment Method Variant,$1,Reserved4' : ',visacredit,$1,'),
    )
    .join('\n');

  const { lines, issues } = await read('adyen', more);
  const card = await read('adyen', more.replace('visacredit', '4111111111111111'));
  const unknown = await read('adyen', more.replace('Reserved4', 'DCC Markup (NC)'));

  expect(issues).toEqual([]);
  expect(lines.map(({ id: _, ...line }) => line)).toEqual(plain.lines.map(({ id: _, ...line }) => line));
  expect(card.issues).toEqual([
    expect.objectContaining({ row: 1, field: 'Payment Method Variant', problem: 'the cell holds a card number' }),
  ]);
  expect(unknown.issues[0]).toMatchObject({ row: 0, problem: 'the header has another column', got: 'DCC Markup (NC)' });
});

test('a batch whose rows do not add up to its payout is refused with both sums', async () => {
  const text = settlementFile.adyen(small);
  const payout = text.trimEnd().split('\n').length - 1;

  const { issues } = await read('adyen', withCell(text, payout, 'Net Debit (NC)', '1.00'));

  expect(issues).toEqual([
    {
      field: 'Batch Number',
      problem: 'the rows of batch 1001 in EUR do not add up to its payout',
      got: 'paid out 1.00',
      allowed: expect.stringMatching(/^\d+\.\d\d$/),
    },
  ]);
});

test('costs that do not explain the difference between gross and net are refused', async () => {
  const { issues } = await read('adyen', withCell(settlementFile.adyen(small), 1, 'Scheme Fees (NC)', '0.01'));

  expect(issues[0]).toMatchObject({ row: 1, problem: 'net and costs do not add up to gross' });
});

test('what a gateway converted keeps what the customer was charged', async () => {
  let text = settlementFile.adyen({ ...small, settled: [{ ...small.settled[0]!, gross: 1_000, fee: 30 }] });
  text = withCell(text, 1, 'Gross Currency', 'SEK');
  text = withCell(text, 1, 'Gross Credit (GC)', '115.00');

  const { lines } = await read('adyen', text);

  expect(lines[0]).toMatchObject({
    currency: 'EUR',
    gross: 1_000,
    fee: 30,
    net: 970,
    originalCurrency: 'SEK',
    originalGross: 11_500,
  });
});

test('a batch that was not paid out yet is settled on the day of its last row', async () => {
  const lines = settlementFile.adyen(small).trimEnd().split('\n');

  const read1 = await read('adyen', `${lines.slice(0, -2).join('\n')}\n`);

  expect(read1.issues).toEqual([]);
  expect(read1.lines[0]!.settledDate).toBe('2026-11-22');
});

test('a file with a hundred and one bad rows tells a hundred and counts them all', async () => {
  const text = settlementFile.stripe({
    ...small,
    currency: 'XXQ',
    settled: someSettled('b', 101).settled.slice(0, 101),
  });

  const { file, issues } = await read('stripe', text);

  expect(file.issues.count).toBe(101);
  expect(issues).toHaveLength(100);
});

test('a refund takes money away, with a minus or without one; a sale never does', async () => {
  const text = settlementFile.braintree(someSettled('acme', 7, 'EUR', '2026-11-24', settledKinds.braintree));
  const [amount] = /^-?[\d.]+$/.exec(text.trimEnd().split('\n')[7]!.split(',')[7]!)!;

  const signed = await read('braintree', withCell(text, 7, 'Settlement Amount', `-${amount}`));
  const unsigned = await read('braintree', text);
  const sale = await read('braintree', withCell(text, 1, 'Settlement Amount', '-1.00'));

  expect(signed.lines.map(({ gross }) => gross)).toEqual(unsigned.lines.map(({ gross }) => gross));
  expect(unsigned.lines[6]!.gross).toBeLessThan(0);
  expect(sale.issues).toEqual([expect.objectContaining({ row: 1, field: 'Settlement Amount', got: '-1.00' })]);
});

test("a row of Braintree's own sample is read as it stands", async () => {
  const row =
    'ACME-anvils,lsikdfsm,,sale,USD,,USD,24.18,2018-03-03,2018-03-06,credit_card,Visa,Debit,973702,"Wells Fargo Bank, National Association",0.00,,1.00,5a9a0c,09483509834509830459818,USA,0.0185,0,0.13,0.00,0.00,0.00,0.57';

  const { lines, issues } = await read('braintree', `${mappingOf('braintree').header.join(',')}\n${row}\n`);

  expect(issues).toEqual([]);
  expect(lines[0]).toMatchObject({
    ...{ batch: 'ACME-anvils 2018-03-06', settledDate: '2018-03-06', kind: 'payment', gatewayReference: 'lsikdfsm' },
    ...{ merchantReference: '5a9a0c', currency: 'USD', gross: 2_418, fee: 57, net: 2_361 },
  });
});

test('a header alone, and nothing at all, are no files', async () => {
  for (const text of ['', settlementFile.stripe()])
    expect((await read('stripe', text)).issues[0]).toMatchObject({ problem: 'the file has no rows' });
});

test('every mapping names columns that its header has, and kinds once', () => {
  for (const mapping of gateways) {
    const {
      header,
      batch,
      kind,
      reference,
      merchantReference,
      occurredAt,
      settledDate,
      currency,
      gross,
      fee,
      net,
      original,
    } = mapping;
    const amounts = [gross, fee, net, original?.gross].flatMap((columns) => [
      ...(columns?.plus ?? []),
      ...(columns?.minus ?? []),
    ]);
    const named = [
      ...batch,
      kind.column,
      ...reference,
      ...(mapping.refundReference ?? []),
      ...(mapping.paymentReference ?? []),
      ...merchantReference,
      occurredAt?.column,
      occurredAt?.zone,
      settledDate,
      currency,
      original?.currency,
      ...amounts,
    ].filter((name) => name !== undefined);

    expect(named.filter((name) => !header.includes(name))).toEqual([]);
    expect(new Set(header).size).toBe(header.length);
    // Without either nobody could say when.
    expect(occurredAt ?? settledDate).toBeDefined();
    expect([gross, fee, net].filter((columns) => columns !== undefined).length).toBeGreaterThanOrEqual(2);
  }
});

function essence({ kind, gross, fee, gatewayReference, merchantReference, occurredAt, currency }: SettlementLine) {
  return {
    kind,
    gross,
    fee,
    reference: gatewayReference,
    merchantReference,
    occurredAt: occurredAt?.toISOString().replace('.000Z', 'Z'),
    currency,
  };
}
