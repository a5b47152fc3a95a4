-- Puts the days as they were found in the place of what was found before.

DELETE FROM finance.reconciliation_matches WHERE business_date BETWEEN :from_date AND :to_date;

INSERT INTO finance.reconciliation_matches (
  business_date, gateway, source, transaction_id, tender, settlement_line_id, rule, gateway_day
)
SELECT
  pairs.business_date, pairs.gateway, tenders.source, tenders.transaction_id, tenders.tender, pairs.line_id, pairs.rule,
  pairs.gateway_day
FROM pairs
JOIN tenders ON tenders.tender_id = pairs.tender_id
WHERE pairs.business_date BETWEEN :from_date AND :to_date;

DELETE FROM finance.reconciliation_breaks WHERE business_date BETWEEN :from_date AND :to_date;

-- The age counts from when the money moved: from the sale, or from the gateway's day where there is none.
INSERT INTO finance.reconciliation_breaks (
  break_id, business_date, gateway, currency, class, difference, age_days, due_date, rule,
  source, transaction_id, tender, ledger_business_date, ledger_occurred_at, ledger_currency, ledger_amount,
  ledger_reference, card_brand, card_last4,
  settlement_line_id, batch, row_number, kind, gateway_day, gateway_occurred_at, settled_date, gateway_currency,
  gateway_amount, gateway_fee, gateway_reference, merchant_reference, related
)
SELECT
  MD5(
    found.class || '|' || CAST(found.business_date AS varchar(10)) || '|' || found.currency || '|'
    || COALESCE(found.tender_id, '') || '|' || COALESCE(found.line_id, '')
  ),
  found.business_date,
  found.gateway,
  found.currency,
  found.class,
  found.difference,
  :as_of - COALESCE(tender.business_date, line.gateway_day),
  tender.due_date,
  found.rule,
  tender.source,
  tender.transaction_id,
  tender.tender,
  tender.business_date,
  tender.occurred_at,
  tender.currency,
  tender.amount,
  tender.gateway_reference,
  tender.card_brand,
  tender.card_last4,
  line.line_id,
  line.batch,
  line.row_number,
  line.kind,
  line.gateway_day,
  line.occurred_at,
  line.settled_date,
  line.currency,
  line.amount,
  line.fee,
  line.gateway_reference,
  line.merchant_reference,
  found.related
FROM found
LEFT JOIN tenders AS tender ON tender.tender_id = found.tender_id
LEFT JOIN lines AS line ON line.line_id = found.line_id
WHERE found.business_date BETWEEN :from_date AND :to_date;

DELETE FROM finance.reconciliation_totals WHERE business_date BETWEEN :from_date AND :to_date;

-- The proof. Both totals are counted from what the ledger and the files hold, not from what was matched: whatever the rules
-- above lose or count twice stands here as unexplained.
INSERT INTO finance.reconciliation_totals (
  business_date, gateway, currency, ledger_tenders, ledger_amount, settled_lines, settled_amount, in_transit_tenders,
  in_transit_amount, differences, unexplained, fees, net_amount
)
SELECT
  business_date, gateway, currency,
  SUM(ledger_tenders), SUM(ledger_amount), SUM(settled_lines), SUM(settled_amount), SUM(in_transit_tenders),
  SUM(in_transit_amount), SUM(differences),
  SUM(settled_amount) + SUM(in_transit_amount) - SUM(ledger_amount) - SUM(differences),
  SUM(fees), SUM(net_amount)
FROM (
  SELECT
    business_date, LOWER(COALESCE(gateway, 'none')) AS gateway, currency,
    COUNT(*) AS ledger_tenders, SUM(signed_amount) AS ledger_amount, 0 AS settled_lines, 0 AS settled_amount,
    0 AS in_transit_tenders, 0 AS in_transit_amount, 0 AS differences, 0 AS fees, 0 AS net_amount
  FROM finance.sale_tenders
  WHERE business_date BETWEEN :from_date AND :to_date
    AND signed_amount <> 0
    AND (gateway IS NOT NULL OR tender_type = 'card')
  GROUP BY business_date, LOWER(COALESCE(gateway, 'none')), currency
  UNION ALL
  SELECT gateway_day, gateway, currency, 0, 0, COUNT(*), SUM(amount), 0, 0, 0, 0, 0
  FROM lines
  GROUP BY gateway_day, gateway, currency
  UNION ALL
  SELECT gateway_day, gateway, settled_currency, 0, 0, 0, 0, 0, 0, 0, SUM(fee), SUM(net)
  FROM lines
  GROUP BY gateway_day, gateway, settled_currency
  UNION ALL
  SELECT business_date, gateway, currency, 0, 0, 0, 0, COUNT(*), SUM(amount), 0, 0, 0
  FROM open_tenders
  GROUP BY business_date, gateway, currency
  UNION ALL
  SELECT business_date, gateway, currency, 0, 0, 0, 0, 0, 0, SUM(difference), 0, 0
  FROM finance.reconciliation_breaks
  WHERE business_date BETWEEN :from_date AND :to_date AND class <> 'unexplained'
  GROUP BY business_date, gateway, currency
) AS sides
WHERE business_date BETWEEN :from_date AND :to_date
GROUP BY business_date, gateway, currency;

-- A run that is repeated under its own name is the same revision.
DELETE FROM finance.reconciliation_runs
WHERE run_id = :run_id AND business_date BETWEEN :from_date AND :to_date;

INSERT INTO finance.reconciliation_runs (
  business_date, revision, run_id, as_of, ran_at, terms, matches, breaks, breaks_amount, unexplained_amount
)
SELECT
  days.business_date,
  COALESCE(MAX(earlier.revision), 0) + 1,
  :run_id,
  :as_of,
  :ran_at,
  :terms,
  MAX(days.matches),
  MAX(days.breaks),
  MAX(days.breaks_amount),
  MAX(days.unexplained_amount)
FROM (
  SELECT
    business_date, SUM(matches) AS matches, SUM(breaks) AS breaks, SUM(breaks_amount) AS breaks_amount,
    SUM(unexplained_amount) AS unexplained_amount
  FROM (
    SELECT business_date, 0 AS matches, 0 AS breaks, 0 AS breaks_amount, 0 AS unexplained_amount FROM run_dates
    UNION ALL
    SELECT business_date, 1, 0, 0, 0
    FROM finance.reconciliation_matches
    WHERE business_date BETWEEN :from_date AND :to_date
    UNION ALL
    SELECT business_date, 0, 1, ABS(difference), 0
    FROM finance.reconciliation_breaks
    WHERE business_date BETWEEN :from_date AND :to_date
    UNION ALL
    SELECT business_date, 0, 0, 0, ABS(unexplained)
    FROM finance.reconciliation_totals
    WHERE business_date BETWEEN :from_date AND :to_date
  ) AS counted
  GROUP BY business_date
) AS days
LEFT JOIN finance.reconciliation_runs AS earlier ON earlier.business_date = days.business_date
GROUP BY days.business_date;
