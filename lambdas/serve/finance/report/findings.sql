-- Every break with its evidence, what is unexplained and largest first, up to what a report can hold.
SELECT
  break_id, CAST(business_date AS varchar(10)) AS business_date, class, gateway, currency, difference, age_days,
  CAST(due_date AS varchar(10)) AS due_date, rule, source, transaction_id, tender,
  CAST(ledger_business_date AS varchar(10)) AS ledger_business_date,
  CAST(ledger_occurred_at AS varchar(19)) AS ledger_occurred_at,
  ledger_currency, ledger_amount, ledger_reference, card_brand, card_last4,
  settlement_line_id, batch, row_number, kind, CAST(gateway_day AS varchar(10)) AS gateway_day,
  CAST(gateway_occurred_at AS varchar(19)) AS gateway_occurred_at, CAST(settled_date AS varchar(10)) AS settled_date,
  gateway_currency, gateway_amount, gateway_fee, gateway_reference, merchant_reference, related,
  resolved_by, CAST(resolved_at AS varchar(19)) AS resolved_at, reason
FROM finance.reconciliation_findings
WHERE business_date BETWEEN :from_date AND :to_date
ORDER BY CASE WHEN class = 'unexplained' THEN 0 ELSE 1 END, ABS(difference) DESC, break_id
LIMIT 100000
