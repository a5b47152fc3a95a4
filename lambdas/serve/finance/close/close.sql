-- How each day was last reported.
CREATE TEMP TABLE latest AS
SELECT business_date, revision, load_number, lines, tenders
FROM (
  SELECT business_date, revision, load_number, lines, tenders,
    ROW_NUMBER() OVER (PARTITION BY business_date ORDER BY revision DESC) AS place
  FROM finance.day_reports
) AS numbered
WHERE place = 1;

-- The days that get a revision: of those asked for, the ones that have none; and whichever was reported, however long ago,
-- and has more lines or tenders now. What has no load's number yet (closing.sql) is later than this. Rows are only ever added to the ledger, so a day that moved has more of them.
CREATE TEMP TABLE moved AS
SELECT
  days.business_date, COALESCE(latest.revision, 0) + 1 AS revision, latest.load_number AS after_load_number, days.lines,
  days.tenders
FROM (
  SELECT business_date, SUM(lines) AS lines, SUM(tenders) AS tenders
  FROM (
    SELECT business_date, 0 AS lines, 0 AS tenders FROM asked
    UNION ALL
    SELECT business_date, COUNT(*), 0 FROM finance.sale_lines WHERE load_number IS NOT NULL GROUP BY business_date
    UNION ALL
    SELECT business_date, 0, COUNT(*) FROM finance.sale_tenders WHERE load_number IS NOT NULL GROUP BY business_date
  ) AS booked
  GROUP BY business_date
) AS days
LEFT JOIN latest ON latest.business_date = days.business_date
LEFT JOIN asked ON asked.business_date = days.business_date
WHERE (latest.revision IS NULL AND asked.business_date IS NOT NULL)
  OR latest.lines <> days.lines
  OR latest.tenders <> days.tenders;

INSERT INTO finance.day_reports (
  business_date, revision, load_number, after_load_number, lines, tenders, run_id, reported_at
)
SELECT
  moved.business_date, moved.revision, newest.load_number, moved.after_load_number, moved.lines, moved.tenders, :run_id,
  :reported_at
FROM moved
CROSS JOIN (SELECT COALESCE(MAX(load_number), 0) AS load_number FROM finance.loaded_files) AS newest;

-- Sales and returns of which anything came late, be it a line or a tender: the files of the two come apart.
CREATE TEMP TABLE late AS
SELECT business_date, currency, COUNT(*) AS sales
FROM (
  SELECT line.business_date, line.currency, line.source, line.transaction_id
  FROM finance.sale_lines AS line
  JOIN moved ON moved.business_date = line.business_date AND moved.after_load_number < line.load_number
  UNION
  SELECT tender.business_date, tender.currency, tender.source, tender.transaction_id
  FROM finance.sale_tenders AS tender
  JOIN moved ON moved.business_date = tender.business_date AND moved.after_load_number < tender.load_number
) AS came
GROUP BY business_date, currency;

-- The figures, and what each is beyond the revision before.
INSERT INTO finance.day_report_totals (
  business_date, revision, currency, sales, returns, lines, units, net, tax, tenders, tendered,
  late_sales, late_lines, late_net, late_tax, late_tenders, late_tendered
)
SELECT
  day.business_date, moved.revision, day.currency, day.sales, day.returns, day.lines, day.units, day.net, day.tax,
  day.tenders, day.tendered,
  COALESCE(late.sales, 0),
  CASE WHEN moved.revision = 1 THEN 0 ELSE day.lines - COALESCE(earlier.lines, 0) END,
  CASE WHEN moved.revision = 1 THEN 0 ELSE day.net - COALESCE(earlier.net, 0) END,
  CASE WHEN moved.revision = 1 THEN 0 ELSE day.tax - COALESCE(earlier.tax, 0) END,
  CASE WHEN moved.revision = 1 THEN 0 ELSE day.tenders - COALESCE(earlier.tenders, 0) END,
  CASE WHEN moved.revision = 1 THEN 0 ELSE day.tendered - COALESCE(earlier.tendered, 0) END
FROM (
  SELECT
    business_date, currency, SUM(sales) AS sales, SUM(returns) AS returns, SUM(lines) AS lines, SUM(units) AS units,
    SUM(net) AS net, SUM(tax) AS tax, SUM(tenders) AS tenders, SUM(tendered) AS tendered
  FROM (
    SELECT
      line.business_date, line.currency,
      COUNT(DISTINCT CASE WHEN line.type = 'sale' THEN line.source || '#' || line.transaction_id END) AS sales,
      COUNT(DISTINCT CASE WHEN line.type = 'return' THEN line.source || '#' || line.transaction_id END) AS returns,
      COUNT(*) AS lines,
      SUM(line.units) AS units,
      SUM(line.net) AS net,
      SUM(CASE WHEN line.type = 'return' THEN 0 - COALESCE(line.tax, 0) ELSE COALESCE(line.tax, 0) END) AS tax,
      0 AS tenders,
      0 AS tendered
    FROM finance.sale_lines AS line
    JOIN moved ON moved.business_date = line.business_date
    WHERE line.load_number IS NOT NULL
    GROUP BY line.business_date, line.currency
    UNION ALL
    SELECT tender.business_date, tender.currency, 0, 0, 0, 0, 0, 0, COUNT(*), SUM(tender.signed_amount)
    FROM finance.sale_tenders AS tender
    JOIN moved ON moved.business_date = tender.business_date
    WHERE tender.load_number IS NOT NULL
    GROUP BY tender.business_date, tender.currency
  ) AS sides
  GROUP BY business_date, currency
) AS day
JOIN moved ON moved.business_date = day.business_date
LEFT JOIN late ON late.business_date = day.business_date AND late.currency = day.currency
LEFT JOIN finance.day_report_totals AS earlier
  ON earlier.business_date = day.business_date
  AND earlier.currency = day.currency
  AND earlier.revision = moved.revision - 1;
