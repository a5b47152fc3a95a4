-- Every revision of the days of the report, and of the days that this run has restated, with their figures.
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
WHERE report.business_date BETWEEN :from_date AND :to_date
  OR report.business_date IN (SELECT business_date FROM finance.day_reports WHERE run_id = :run_id)
ORDER BY report.business_date, totals.currency, report.revision
