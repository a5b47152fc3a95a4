-- How some days stand, in one row. What nothing explains is counted without its sign: two of them must not cancel.
SELECT
  found.breaks,
  found.unresolved,
  found.amount,
  found.unexplained + proof.lost AS unexplained
FROM (
  SELECT
    COUNT(*) AS breaks,
    COALESCE(SUM(CASE WHEN resolved_at IS NULL THEN 1 ELSE 0 END), 0) AS unresolved,
    COALESCE(SUM(ABS(difference)), 0) AS amount,
    COALESCE(SUM(CASE WHEN class = 'unexplained' AND resolved_at IS NULL THEN ABS(difference) ELSE 0 END), 0) AS unexplained
  FROM finance.reconciliation_findings
  WHERE business_date BETWEEN :from_date AND :to_date
) AS found
CROSS JOIN (
  SELECT COALESCE(SUM(ABS(totals.unexplained - COALESCE(named.difference, 0))), 0) AS lost
  FROM finance.reconciliation_totals AS totals
  LEFT JOIN (
    SELECT business_date, gateway, currency, SUM(difference) AS difference
    FROM finance.reconciliation_findings
    WHERE class = 'unexplained'
    GROUP BY business_date, gateway, currency
  ) AS named
    ON named.business_date = totals.business_date
    AND named.gateway = totals.gateway
    AND named.currency = totals.currency
  WHERE totals.business_date BETWEEN :from_date AND :to_date
) AS proof
