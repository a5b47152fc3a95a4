-- Which line is which tender: one to one, always within one gateway, by the first of five rules that finds the pair. Where
-- several are alike, they are paired in the order of their times, so the same rows always make the same pairs.

CREATE TEMP TABLE matches (
  tender_id varchar(128) NOT NULL,
  line_id varchar(64) NOT NULL,
  rule varchar(32) NOT NULL
);

-- Rule 1: the gateway's reference, the currency and the amount agree.
INSERT INTO matches (tender_id, line_id, rule)
SELECT tender.tender_id, line.line_id, 'reference-and-amount'
FROM (
  SELECT tender_id, gateway, gateway_reference, currency, amount,
    ROW_NUMBER() OVER (
      PARTITION BY gateway, gateway_reference, currency, amount ORDER BY business_date, occurred_at, tender_id
    ) AS place
  FROM tenders
  WHERE gateway_reference IS NOT NULL
) AS tender
JOIN (
  SELECT line_id, gateway, gateway_reference, currency, amount,
    ROW_NUMBER() OVER (
      PARTITION BY gateway, gateway_reference, currency, amount ORDER BY gateway_day, settled_date, line_id
    ) AS place
  FROM lines
  WHERE gateway_reference IS NOT NULL AND direction <> 0
) AS line
  ON line.gateway = tender.gateway
  AND line.gateway_reference = tender.gateway_reference
  AND line.currency = tender.currency
  AND line.amount = tender.amount
  AND line.place = tender.place;

-- The other rules have little left to look at. What they match is taken out at the end; until then each asks what the
-- ones before it have matched.
CREATE TEMP TABLE open_tenders AS
SELECT tenders.*
FROM tenders
LEFT JOIN matches ON matches.tender_id = tenders.tender_id
WHERE matches.tender_id IS NULL;

CREATE TEMP TABLE open_lines AS
SELECT lines.*
FROM lines
LEFT JOIN matches ON matches.line_id = lines.line_id
WHERE matches.line_id IS NULL;

-- Rule 2: the gateway's reference agrees, and both are money in or both are money back.
INSERT INTO matches (tender_id, line_id, rule)
SELECT tender.tender_id, line.line_id, 'reference'
FROM (
  SELECT tender_id, gateway, gateway_reference, direction,
    ROW_NUMBER() OVER (
      PARTITION BY gateway, gateway_reference, direction ORDER BY business_date, occurred_at, tender_id
    ) AS place
  FROM open_tenders
  WHERE gateway_reference IS NOT NULL
) AS tender
JOIN (
  SELECT line_id, gateway, gateway_reference, direction,
    ROW_NUMBER() OVER (
      PARTITION BY gateway, gateway_reference, direction ORDER BY gateway_day, settled_date, line_id
    ) AS place
  FROM open_lines
  WHERE gateway_reference IS NOT NULL AND direction <> 0
) AS line
  ON line.gateway = tender.gateway
  AND line.gateway_reference = tender.gateway_reference
  AND line.direction = tender.direction
  AND line.place = tender.place;

-- Rule 3: what we sent along with the payment is the sale, and currency and amount agree.
INSERT INTO matches (tender_id, line_id, rule)
SELECT tender.tender_id, line.line_id, 'merchant-reference-and-amount'
FROM (
  SELECT tender_id, gateway, transaction_id, currency, amount,
    ROW_NUMBER() OVER (
      PARTITION BY gateway, transaction_id, currency, amount ORDER BY business_date, occurred_at, tender_id
    ) AS place
  FROM open_tenders
  WHERE NOT EXISTS (SELECT 1 FROM matches WHERE matches.tender_id = open_tenders.tender_id)
) AS tender
JOIN (
  SELECT line_id, gateway, merchant_reference, currency, amount,
    ROW_NUMBER() OVER (
      PARTITION BY gateway, merchant_reference, currency, amount ORDER BY gateway_day, settled_date, line_id
    ) AS place
  FROM open_lines
  WHERE merchant_reference IS NOT NULL AND direction <> 0
    AND NOT EXISTS (SELECT 1 FROM matches WHERE matches.line_id = open_lines.line_id)
) AS line
  ON line.gateway = tender.gateway
  AND line.merchant_reference = tender.transaction_id
  AND line.currency = tender.currency
  AND line.amount = tender.amount
  AND line.place = tender.place;

-- Rule 4: what we sent along is the sale, and nothing else of it is left on either side.
INSERT INTO matches (tender_id, line_id, rule)
SELECT tender.tender_id, line.line_id, 'merchant-reference'
FROM (
  SELECT tender_id, gateway, transaction_id, direction,
    COUNT(*) OVER (PARTITION BY gateway, transaction_id, direction) AS alike
  FROM open_tenders
  WHERE NOT EXISTS (SELECT 1 FROM matches WHERE matches.tender_id = open_tenders.tender_id)
) AS tender
JOIN (
  SELECT line_id, gateway, merchant_reference, direction,
    COUNT(*) OVER (PARTITION BY gateway, merchant_reference, direction) AS alike
  FROM open_lines
  WHERE merchant_reference IS NOT NULL AND direction <> 0
    AND NOT EXISTS (SELECT 1 FROM matches WHERE matches.line_id = open_lines.line_id)
) AS line
  ON line.gateway = tender.gateway
  AND line.merchant_reference = tender.transaction_id
  AND line.direction = tender.direction
WHERE tender.alike = 1 AND line.alike = 1;

-- Rule 5: currency, amount and nearly the time agree, no reference says otherwise, and neither could be another one.
CREATE TEMP TABLE candidates AS
SELECT
  tender.tender_id,
  line.line_id,
  COUNT(*) OVER (PARTITION BY tender.tender_id) AS lines_alike,
  COUNT(*) OVER (PARTITION BY line.line_id) AS tenders_alike
FROM open_tenders AS tender
JOIN open_lines AS line
  ON line.gateway = tender.gateway
  AND line.currency = tender.currency
  AND line.amount = tender.amount
  AND line.direction = tender.direction
WHERE line.occurred_at BETWEEN tender.occurred_at - INTERVAL '15 minutes' AND tender.occurred_at + INTERVAL '15 minutes'
  AND line.merchant_reference IS NULL
  AND NOT EXISTS (SELECT 1 FROM matches WHERE matches.tender_id = tender.tender_id)
  AND NOT EXISTS (SELECT 1 FROM matches WHERE matches.line_id = line.line_id)
  AND (line.gateway_reference IS NULL OR tender.gateway_reference IS NULL);

INSERT INTO matches (tender_id, line_id, rule)
SELECT tender_id, line_id, 'amount-and-time'
FROM candidates
WHERE lines_alike = 1 AND tenders_alike = 1;

DELETE FROM open_tenders WHERE tender_id IN (SELECT tender_id FROM matches);

DELETE FROM open_lines WHERE line_id IN (SELECT line_id FROM matches);

-- A line that has no time lies on the day of its sale.
UPDATE lines
SET gateway_day = tenders.business_date
FROM matches, tenders
WHERE matches.line_id = lines.line_id
  AND tenders.tender_id = matches.tender_id
  AND lines.occurred_at IS NULL;

-- The pairs, side by side.
CREATE TEMP TABLE pairs AS
SELECT
  matches.rule,
  tender.tender_id,
  line.line_id,
  tender.gateway,
  tender.business_date,
  tender.transaction_id,
  tender.gateway_reference AS ledger_reference,
  tender.direction,
  tender.currency AS ledger_currency,
  tender.amount AS ledger_amount,
  tender.due_date,
  line.gateway_day,
  line.settled_date,
  line.gateway_reference,
  line.kind,
  line.currency AS gateway_currency,
  line.amount AS gateway_amount,
  line.fee,
  line.rounding
FROM matches
JOIN tenders AS tender ON tender.tender_id = matches.tender_id
JOIN lines AS line ON line.line_id = matches.line_id;
