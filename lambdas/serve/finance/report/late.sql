-- Sales and returns that came after their day was reported, the latest first, up to what a report can hold.
SELECT
  CAST(business_date AS varchar(10)) AS business_date, revision, source, transaction_id, type, channel, region, location,
  currency, lines, units, net, tax, tenders, tendered, CAST(accepted_at AS varchar(19)) AS accepted_at,
  CAST(loaded_at AS varchar(19)) AS loaded_at
FROM finance.late_sales
WHERE business_date IN (:days)
ORDER BY load_number DESC, business_date, source, transaction_id
LIMIT 100000
