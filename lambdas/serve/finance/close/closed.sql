-- What a run has reported, in all its attempts.
SELECT
  COALESCE(SUM(CASE WHEN report.revision = 1 THEN 1 ELSE 0 END), 0) AS closed,
  COALESCE(SUM(CASE WHEN report.revision > 1 THEN 1 ELSE 0 END), 0) AS restated,
  COALESCE(SUM(late.sales), 0) AS late_sales
FROM finance.day_reports AS report
LEFT JOIN (
  SELECT business_date, revision, SUM(late_sales) AS sales
  FROM finance.day_report_totals
  GROUP BY business_date, revision
) AS late
  ON late.business_date = report.business_date
  AND late.revision = report.revision
WHERE report.run_id = :run_id
