-- The proof by gateway and currency, over the days of the report.
SELECT
  gateway, currency,
  SUM(ledger_tenders) AS ledger_tenders,
  SUM(ledger_amount) AS ledger_amount,
  SUM(differences) AS differences,
  SUM(unexplained) AS unexplained,
  SUM(settled_lines) AS settled_lines,
  SUM(settled_amount) AS settled_amount,
  SUM(in_transit_tenders) AS in_transit_tenders,
  SUM(in_transit_amount) AS in_transit_amount,
  SUM(fees) AS fees,
  SUM(net_amount) AS net_amount
FROM finance.reconciliation_totals
WHERE business_date BETWEEN :from_date AND :to_date
GROUP BY gateway, currency
ORDER BY gateway, currency
