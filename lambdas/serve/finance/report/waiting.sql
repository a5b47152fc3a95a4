-- What came late on days of the report and is in no revision yet.
SELECT
  CAST(business_date AS varchar(10)) AS business_date, currency, COUNT(*) AS sales, SUM(net) AS net, SUM(tax) AS tax,
  SUM(tendered) AS tendered
FROM finance.late_sales
WHERE revision IS NULL AND business_date IN (:days)
GROUP BY business_date, currency
ORDER BY business_date, currency
