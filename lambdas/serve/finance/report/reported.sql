-- Every revision, with its figures, of the days of the report, and of all that were not reconciled since they were last
-- reported: so what a failed run has restated is in the next report, and stays there until somebody has it reconciled.
SELECT
  CAST(report.business_date AS varchar(10)) AS business_date,
  report.revision, CAST(report.reported_at AS varchar(19)) AS reported_at, report.load_number,
  totals.currency, totals.sales, totals.returns, totals.lines, totals.units, totals.net, totals.tax, totals.tenders,
  totals.tendered, totals.late_sales, totals.late_lines, totals.late_net, totals.late_tax, totals.late_tenders,
  totals.late_tendered
FROM finance.day_reports AS report
LEFT JOIN finance.day_report_totals AS totals
  ON totals.business_date = report.business_date
  AND totals.revision = report.revision
LEFT JOIN (
  SELECT newest.business_date
  FROM (SELECT business_date, MAX(reported_at) AS reported_at FROM finance.day_reports GROUP BY business_date) AS newest
  LEFT JOIN (
    SELECT business_date, MAX(ran_at) AS ran_at FROM finance.reconciliation_runs GROUP BY business_date
  ) AS reconciled
    ON reconciled.business_date = newest.business_date
  WHERE reconciled.ran_at IS NULL OR reconciled.ran_at < newest.reported_at
) AS open_again
  ON open_again.business_date = report.business_date
WHERE report.business_date BETWEEN :from_date AND :to_date
  OR open_again.business_date IS NOT NULL
ORDER BY report.business_date, totals.currency, report.revision
