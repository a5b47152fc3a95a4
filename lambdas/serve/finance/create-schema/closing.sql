-- Closing business days. A load has a number, in the order in which loads became a part of the ledger; no clock says that.
-- What was there before loads were numbered has none: 0. The files' table comes first, as in a load: whoever is under way
-- is waited for, and nobody waits crosswise. No default: a loader of before (a rollback, a run that is under way) would
-- book below every report with it. Its rows have null, which is later than all reports, until the next run numbers them.
ALTER TABLE finance.loaded_files ADD COLUMN load_number bigint;

UPDATE finance.loaded_files SET load_number = 0;

ALTER TABLE finance.sale_lines ADD COLUMN load_number bigint;

UPDATE finance.sale_lines SET load_number = 0;

ALTER TABLE finance.sale_tenders ADD COLUMN load_number bigint;

UPDATE finance.sale_tenders SET load_number = 0;

-- Every time that a day was reported: revision 1 when it was closed, another one when more was booked on it since. Nothing
-- in here is ever changed; the newest revision is how the day stands.
CREATE TABLE finance.day_reports (
  business_date date NOT NULL,
  revision integer NOT NULL,
  -- It speaks of what was booked up to this load,
  load_number bigint NOT NULL,
  -- and what was booked after this one, the load of the revision before, is late in it. Null in revision 1.
  after_load_number bigint,
  lines bigint NOT NULL,
  tenders bigint NOT NULL,
  run_id varchar(128) NOT NULL,
  reported_at timestamp NOT NULL,
  PRIMARY KEY (business_date, revision)
);

-- The figures of a revision. Amounts are signed, in the minor unit of their currency; late_ is what came since the revision
-- before. A day without sales has none.
CREATE TABLE finance.day_report_totals (
  business_date date NOT NULL,
  revision integer NOT NULL,
  currency varchar(3) NOT NULL,
  sales bigint NOT NULL,
  returns bigint NOT NULL,
  lines bigint NOT NULL,
  units bigint NOT NULL,
  net bigint NOT NULL,
  tax bigint NOT NULL,
  tenders bigint NOT NULL,
  tendered bigint NOT NULL,
  -- sales and returns of which anything came late
  late_sales bigint NOT NULL,
  late_lines bigint NOT NULL,
  late_net bigint NOT NULL,
  late_tax bigint NOT NULL,
  late_tenders bigint NOT NULL,
  late_tendered bigint NOT NULL,
  PRIMARY KEY (business_date, revision, currency)
);

-- What came after its day was reported, by the revision that took it in. Without a revision: the next close restates the day.
CREATE VIEW finance.late_sales AS
SELECT
  came.business_date, restated.revision, came.source, came.transaction_id, came.type, came.channel, came.region,
  came.location, came.currency, came.accepted_at,
  SUM(came.lines) AS lines,
  SUM(came.units) AS units,
  SUM(came.net) AS net,
  SUM(came.tax) AS tax,
  SUM(came.tenders) AS tenders,
  SUM(came.tendered) AS tendered,
  MAX(came.load_number) AS load_number,
  MAX(came.loaded_at) AS loaded_at
FROM (
  SELECT
    business_date, source, transaction_id, type, channel, region, location, currency, accepted_at, load_number, loaded_at,
    1 AS lines, units, net, CASE WHEN type = 'return' THEN 0 - COALESCE(tax, 0) ELSE COALESCE(tax, 0) END AS tax,
    0 AS tenders, 0 AS tendered
  FROM finance.sale_lines
  UNION ALL
  SELECT
    business_date, source, transaction_id, type, channel, region, location, currency, accepted_at, load_number, loaded_at,
    0, 0, 0, 0, 1, signed_amount
  FROM finance.sale_tenders
) AS came
JOIN finance.day_reports AS closed
  ON closed.business_date = came.business_date
  AND closed.revision = 1
  AND (closed.load_number < came.load_number OR came.load_number IS NULL)
LEFT JOIN finance.day_reports AS restated
  ON restated.business_date = came.business_date
  AND restated.after_load_number < came.load_number
  AND restated.load_number >= came.load_number
GROUP BY
  came.business_date, restated.revision, came.source, came.transaction_id, came.type, came.channel, came.region,
  came.location, came.currency, came.accepted_at;

-- finance.daily_sales and finance.daily_tenders as they stood in each revision: what is booked stays, so the load tells.
CREATE VIEW finance.reported_daily_sales AS
SELECT
  report.business_date, report.revision, line.region, line.location, line.channel, line.currency,
  COUNT(DISTINCT CASE WHEN line.type = 'sale' THEN line.source || '#' || line.transaction_id END) AS sales,
  COUNT(DISTINCT CASE WHEN line.type = 'return' THEN line.source || '#' || line.transaction_id END) AS returns,
  SUM(line.units) AS units,
  SUM(line.net) AS net,
  SUM(CASE WHEN line.type = 'return' THEN 0 - COALESCE(line.tax, 0) ELSE COALESCE(line.tax, 0) END) AS tax
FROM finance.day_reports AS report
JOIN finance.sale_lines AS line
  ON line.business_date = report.business_date
  AND line.load_number <= report.load_number
GROUP BY report.business_date, report.revision, line.region, line.location, line.channel, line.currency;

CREATE VIEW finance.reported_daily_tenders AS
SELECT
  report.business_date, report.revision, tender.region, tender.location, tender.channel, tender.tender_type, tender.gateway,
  tender.currency,
  COUNT(*) AS tenders,
  SUM(tender.signed_amount) AS amount
FROM finance.day_reports AS report
JOIN finance.sale_tenders AS tender
  ON tender.business_date = report.business_date
  AND tender.load_number <= report.load_number
GROUP BY
  report.business_date, report.revision, tender.region, tender.location, tender.channel, tender.tender_type, tender.gateway,
  tender.currency;
