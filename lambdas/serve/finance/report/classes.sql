-- Breaks by class, gateway, currency and age.
SELECT
  class, gateway, currency,
  CASE
    WHEN age_days <= 1 THEN '0-1'
    WHEN age_days <= 3 THEN '2-3'
    WHEN age_days <= 7 THEN '4-7'
    WHEN age_days <= 30 THEN '8-30'
    ELSE '31+'
  END AS age,
  COUNT(*) AS breaks,
  SUM(CASE WHEN resolved_at IS NULL THEN 1 ELSE 0 END) AS unresolved,
  SUM(difference) AS difference
FROM finance.reconciliation_findings
WHERE business_date BETWEEN :from_date AND :to_date
GROUP BY class, gateway, currency,
  CASE
    WHEN age_days <= 1 THEN '0-1'
    WHEN age_days <= 3 THEN '2-3'
    WHEN age_days <= 7 THEN '4-7'
    WHEN age_days <= 30 THEN '8-30'
    ELSE '31+'
  END
ORDER BY class, gateway, currency
