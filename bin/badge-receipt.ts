import { parseArgs } from 'node:util';
import { explain } from '../lambdas/serve/badges/receipt/explanation';
import { receiptQuery, reEvaluate, toldRows } from '../lambdas/serve/badges/receipt/re-evaluation';
import { decodeReceipt } from '../lambdas/serve/badges/receipt/receipt';
import { lakeOf, lakeOptions, lakeUsage } from './badges/lake';
import { runCommand } from './command/run-command';

/**
 * Computes the answer of a receipt anew from the lake's history, and says which row and which rule decided. Ends with 0 when
 * it is the answer that was given, 1 when the history does not have it (yet) or says something else, 2 when it was called
 * wrongly.
 */
const usage = `usage: node build/bin/badge-receipt.js RECEIPT [options]

  RECEIPT         of an answer about a badge
${lakeUsage}
  --json          print the answer alone, as it was given`;

async function run({ receipt, text, lake, onlyJson }: ReturnType<typeof parse>): Promise<number> {
  const rows = toldRows(await lake.rows(receiptQuery(receipt)));
  const result = reEvaluate(receipt, rows);
  switch (result.outcome) {
    case 'same':
      console.log(JSON.stringify({ ...result.answer, receipt: text }));
      if (!onlyJson) console.log(['', ...explain(result.answer, result.facts, result.told)].join('\n'));
      return 0;
    case 'not-found':
      console.error(`not in the history yet, or never: ${result.missing.join('; ')}`);
      console.error(
        'the lake has what was served within some minutes of it (see the alarm BadgeHistoryStale): ask again then; what stays missing was never served, and the receipt was changed',
      );
      return 1;
    case 'contradicted':
      console.error(result.reason);
      if (result.answer !== undefined) console.error(`the history would answer ${JSON.stringify(result.answer)}`);
      return 1;
  }
}

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ...lakeOptions, json: { type: 'boolean', default: false } },
  });
  const [text, ...more] = positionals;
  if (text === undefined || more.length > 0) throw new Error(`got ${positionals.length} receipts, allowed: one`);
  const receipt = decodeReceipt(text);
  if ('reason' in receipt) throw new Error(receipt.reason);
  return { receipt, text, lake: lakeOf(values), onlyJson: values.json };
}

void runCommand({ name: 'badge-receipt', usage, parse, run });
