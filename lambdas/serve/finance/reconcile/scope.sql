-- What is compared: the tenders of some business days that a gateway has to settle, and what the gateways say of the same
-- days. Some days more are looked at on both ends than are reconciled, since a pair may lie on two days.

-- A payout is the way of the money to the bank, not a part of any sale. A line without a time can be of any sale up to so
-- many days before its settlement: so all of them are looked at that were settled since the first such sale.
CREATE TEMP TABLE lines AS
SELECT *
FROM (
  SELECT
    settled.settlement_line_id AS line_id,
    LOWER(settled.gateway) AS gateway,
    settled.batch,
    settled.row_number,
    settled.kind,
    settled.gateway_reference,
    settled.merchant_reference,
    settled.occurred_at,
    settled.settled_date,
    settled.original_currency AS currency,
    settled.original_gross AS amount,
    CASE
      WHEN settled.kind NOT IN ('payment', 'refund') THEN 0
      WHEN settled.original_gross < 0 THEN -1
      ELSE 1
    END AS direction,
    settled.currency AS settled_currency,
    settled.fee,
    settled.net,
    -- The gateway's day ends at midnight of its own time zone. Without a time it is that of the sale, once this is found
    -- (match.sql); until then, and where there is none, the day of its settlement.
    COALESCE(
      CAST(TIMEZONE(COALESCE(own.time_zone, usual.time_zone), TIMEZONE('UTC', settled.occurred_at)) AS date),
      settled.settled_date
    ) AS gateway_day,
    COALESCE(own.rounding, usual.rounding) AS rounding
  FROM finance.settlement_lines AS settled
  LEFT JOIN terms AS own ON own.gateway = LOWER(settled.gateway)
  JOIN terms AS usual ON usual.gateway = '*'
  WHERE settled.kind <> 'payout'
    AND settled.settled_date BETWEEN :timeless_from AND :settled_to
) AS dated
WHERE gateway_day BETWEEN :window_from AND :window_to
  OR (occurred_at IS NULL AND direction <> 0);

-- Of a gateway that says no times, also the earlier sales that its lines can be of.
CREATE TEMP TABLE tenders AS
SELECT
  sold.source || '#' || sold.transaction_id || '#' || CAST(sold.tender AS varchar(20)) AS tender_id,
  sold.source,
  sold.transaction_id,
  sold.tender,
  sold.business_date,
  LOWER(COALESCE(sold.gateway, 'none')) AS gateway,
  sold.gateway_reference,
  sold.occurred_at,
  sold.currency,
  sold.signed_amount AS amount,
  CASE WHEN sold.signed_amount < 0 THEN -1 ELSE 1 END AS direction,
  sold.card_brand,
  sold.card_last4,
  due.due_date,
  due.due_date + COALESCE(own.grace_days, usual.grace_days) + 1 AS missing_from
FROM finance.sale_tenders AS sold
LEFT JOIN terms AS own ON own.gateway = LOWER(COALESCE(sold.gateway, 'none'))
JOIN terms AS usual ON usual.gateway = '*'
JOIN due_dates AS due
  ON due.settlement_days = COALESCE(own.settlement_days, usual.settlement_days)
  AND due.business_date = sold.business_date
LEFT JOIN (SELECT DISTINCT gateway FROM lines WHERE occurred_at IS NULL AND direction <> 0) AS timeless
  ON timeless.gateway = LOWER(sold.gateway)
WHERE sold.business_date BETWEEN :timeless_from AND :window_to
  AND (sold.business_date >= :window_from OR timeless.gateway IS NOT NULL)
  AND sold.signed_amount <> 0
  AND (sold.gateway IS NOT NULL OR sold.tender_type = 'card');
