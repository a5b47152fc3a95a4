-- What finance asks of the ledger by day. Views, since the lines and tenders are all there is to know: a sale that comes
-- late is in its day with the load that brought it.

-- A sale, or a return, as one row. Amounts are signed, in the minor unit of its currency.
CREATE VIEW finance.sales AS
SELECT
  source, transaction_id, type, channel, region, location, occurred_at, business_date, accepted_at, currency,
  original_transaction_id, customer_id,
  COUNT(*) AS lines,
  SUM(units) AS units,
  SUM(net) AS net,
  SUM(CASE WHEN type = 'return' THEN 0 - COALESCE(tax, 0) ELSE COALESCE(tax, 0) END) AS tax,
  MIN(loaded_at) AS loaded_at
FROM finance.sale_lines
GROUP BY
  source, transaction_id, type, channel, region, location, occurred_at, business_date, accepted_at, currency,
  original_transaction_id, customer_id;

CREATE VIEW finance.daily_sales AS
SELECT
  business_date, region, location, channel, currency,
  SUM(CASE WHEN type = 'sale' THEN 1 ELSE 0 END) AS sales,
  SUM(CASE WHEN type = 'return' THEN 1 ELSE 0 END) AS returns,
  SUM(units) AS units,
  SUM(net) AS net,
  SUM(tax) AS tax
FROM finance.sales
GROUP BY business_date, region, location, channel, currency;

-- Cash and the like have no gateway: null.
CREATE VIEW finance.daily_tenders AS
SELECT
  business_date, region, location, channel, tender_type, gateway, currency,
  COUNT(*) AS tenders,
  SUM(signed_amount) AS amount
FROM finance.sale_tenders
GROUP BY business_date, region, location, channel, tender_type, gateway, currency;
