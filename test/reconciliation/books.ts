import type { Client } from 'pg';
import type { PlantedMonth } from './planted-month';

/** Puts tenders and settlement lines where the loaders put them. */
export async function book(client: Client, { tenders, lines }: Pick<PlantedMonth, 'tenders' | 'lines'>): Promise<void> {
  for (let at = 0; at < tenders.length; at += 10_000)
    await client.query(
      `INSERT INTO finance.sale_tenders (source, transaction_id, tender, type, channel, region, location, occurred_at,
         business_date, accepted_at, currency, tender_type, amount, signed_amount, gateway, gateway_reference,
         card_brand, card_last4, tender_difference, loaded_at)
       SELECT source, transaction_id, tender, type, 'store', 'eu-west', 'store-1', occurred_at, business_date, occurred_at,
         currency, 'card', ABS(signed_amount), signed_amount, gateway, gateway_reference, 'visa', '1111', 0, occurred_at
       FROM jsonb_to_recordset($1) AS t(source text, transaction_id text, tender bigint, type text, occurred_at timestamp,
         business_date date, currency text, signed_amount bigint, gateway text, gateway_reference text)`,
      [JSON.stringify(tenders.slice(at, at + 10_000))],
    );
  for (let at = 0; at < lines.length; at += 10_000)
    await client.query(
      `INSERT INTO finance.settlement_lines (settlement_line_id, gateway, batch, row_number, kind, gateway_reference,
         merchant_reference, occurred_at, settled_date, currency, gross, fee, net, original_currency, original_gross,
         file_digest, loaded_at)
       SELECT l.*, 'digest', CURRENT_TIMESTAMP
       FROM jsonb_to_recordset($1) AS l(settlement_line_id text, gateway text, batch text, row_number integer, kind text,
         gateway_reference text, merchant_reference text, occurred_at timestamp, settled_date date, currency text,
         gross bigint, fee bigint, net bigint, original_currency text, original_gross bigint)`,
      [JSON.stringify(lines.slice(at, at + 10_000))],
    );
}

/** What was found, as class and tender or else line, each once although a break may show on two days. */
export async function findings(client: Client): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT DISTINCT class || ' ' || COALESCE(source || '#' || transaction_id || '#' || tender, settlement_line_id) AS found
     FROM finance.reconciliation_breaks ORDER BY 1`,
  );
  return rows.map(({ found }) => found);
}

/** Gateways and currencies of days in which the proof does not add up. */
export async function brokenProofs(client: Client): Promise<unknown[]> {
  const { rows } = await client.query(
    `SELECT totals.* FROM finance.reconciliation_totals AS totals
     WHERE unexplained <> 0
        OR ledger_amount + differences + unexplained <> settled_amount + in_transit_amount
        OR differences <> (SELECT COALESCE(SUM(difference), 0) FROM finance.reconciliation_breaks AS b
             WHERE b.business_date = totals.business_date AND b.gateway = totals.gateway
               AND b.currency = totals.currency AND b.class <> 'unexplained')`,
  );
  return rows;
}
