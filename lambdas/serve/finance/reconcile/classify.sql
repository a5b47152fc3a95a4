-- Every difference and what it is. A difference is what the gateway counts on a day beyond what the ledger counts on it, so
-- those of a day add up to the difference between the two. Of a tender or line without its counterpart, the first rule that takes it has it.

CREATE TEMP TABLE found (
  business_date date NOT NULL,
  class varchar(32) NOT NULL,
  gateway varchar(64) NOT NULL,
  currency varchar(3) NOT NULL,
  difference bigint NOT NULL,
  tender_id varchar(128),
  line_id varchar(64),
  rule varchar(32),
  related varchar(160)
);

-- Pairs in two currencies: the ledger's amount is missing in the one, the gateway's is there in the other.
INSERT INTO found (business_date, class, gateway, currency, difference, tender_id, line_id, rule)
SELECT business_date, 'currency', gateway, ledger_currency, -ledger_amount, tender_id, line_id, rule
FROM pairs
WHERE gateway_currency <> ledger_currency
UNION ALL
SELECT gateway_day, 'currency', gateway, gateway_currency, gateway_amount, tender_id, line_id, rule
FROM pairs
WHERE gateway_currency <> ledger_currency
UNION ALL
-- Pairs of one currency whose amounts differ: within what the gateway may round; by the very fee, which was taken off before
-- instead of after; or otherwise.
SELECT
  gateway_day,
  CASE
    WHEN ABS(gateway_amount - ledger_amount) <= rounding THEN 'rounding'
    WHEN fee <> 0 AND ledger_amount - gateway_amount = fee THEN 'fee'
    ELSE 'amount'
  END,
  gateway, gateway_currency, gateway_amount - ledger_amount, tender_id, line_id, rule
FROM pairs
WHERE gateway_currency = ledger_currency AND gateway_amount <> ledger_amount
UNION ALL
-- Pairs of one currency on two days: next to each other, where the days end at different moments (cut-off, time zone); further
-- apart, when the payment was taken later than it was sold. Each day has its half, and the halves cancel.
SELECT
  business_date,
  CASE WHEN gateway_day - business_date BETWEEN -1 AND 1 THEN 'day-cut-off' ELSE 'timing' END,
  gateway, ledger_currency, -ledger_amount, tender_id, line_id, rule
FROM pairs
WHERE gateway_currency = ledger_currency AND gateway_day <> business_date
UNION ALL
SELECT
  gateway_day,
  CASE WHEN gateway_day - business_date BETWEEN -1 AND 1 THEN 'day-cut-off' ELSE 'timing' END,
  gateway, ledger_currency, ledger_amount, tender_id, line_id, rule
FROM pairs
WHERE gateway_currency = ledger_currency AND gateway_day <> business_date
UNION ALL
-- Pairs that were settled later than the gateway says it does: no money is missing any more.
SELECT business_date, 'timing', gateway, ledger_currency, 0, tender_id, line_id, rule
FROM pairs
WHERE gateway_currency = ledger_currency
  AND gateway_day - business_date BETWEEN -1 AND 1
  AND settled_date > due_date;

-- Tenders without a line: booked twice, if the payment they name is the one of another tender that has its line.
INSERT INTO found (business_date, class, gateway, currency, difference, tender_id, related)
SELECT tender.business_date, 'duplicate', tender.gateway, tender.currency, -tender.amount, tender.tender_id, twin.tender_id
FROM open_tenders AS tender
JOIN (
  SELECT gateway, ledger_reference, direction, MIN(tender_id) AS tender_id
  FROM pairs
  WHERE ledger_reference IS NOT NULL
  GROUP BY gateway, ledger_reference, direction
) AS twin
  ON twin.gateway = tender.gateway
  AND twin.ledger_reference = tender.gateway_reference
  AND twin.direction = tender.direction;

DELETE FROM open_tenders WHERE tender_id IN (SELECT tender_id FROM found WHERE line_id IS NULL);

-- Tenders without a line that the gateway still has time for are in transit, and no difference. Then it is late; after some
-- days more nobody waits for it. Tenders that more than one line could be have no explanation.
INSERT INTO found (business_date, class, gateway, currency, difference, tender_id)
SELECT
  tender.business_date,
  CASE
    WHEN ambiguous.tender_id IS NOT NULL THEN 'unexplained'
    WHEN :as_of < tender.missing_from THEN 'timing'
    ELSE 'missing-in-gateway'
  END,
  tender.gateway, tender.currency, -tender.amount, tender.tender_id
FROM open_tenders AS tender
LEFT JOIN (SELECT DISTINCT tender_id FROM candidates) AS ambiguous ON ambiguous.tender_id = tender.tender_id
WHERE :as_of > tender.due_date;

DELETE FROM open_tenders WHERE tender_id IN (SELECT tender_id FROM found WHERE line_id IS NULL);

-- Lines without a tender: what the gateway keeps for itself, and corrections that it does not explain.
INSERT INTO found (business_date, class, gateway, currency, difference, line_id)
SELECT gateway_day, CASE kind WHEN 'fee' THEN 'fee' ELSE 'unexplained' END, gateway, currency, amount, line_id
FROM open_lines
WHERE kind IN ('fee', 'adjustment');

-- Lines without a tender: settled twice, if the gateway's reference is the one of a payment, or refund, that has its line...
INSERT INTO found (business_date, class, gateway, currency, difference, line_id, related)
SELECT line.gateway_day, 'duplicate', line.gateway, line.currency, line.amount, line.line_id, twin.line_id
FROM open_lines AS line
JOIN (
  SELECT gateway, gateway_reference, direction, MIN(line_id) AS line_id
  FROM pairs
  WHERE gateway_reference IS NOT NULL
  GROUP BY gateway, gateway_reference, direction
) AS twin
  ON twin.gateway = line.gateway
  AND twin.gateway_reference = line.gateway_reference
  AND twin.direction = line.direction;

DELETE FROM open_lines WHERE line_id IN (SELECT line_id FROM found WHERE tender_id IS NULL);

-- ...or paid twice, under two references of the gateway, for one sale of ours.
INSERT INTO found (business_date, class, gateway, currency, difference, line_id, related)
SELECT line.gateway_day, 'duplicate', line.gateway, line.currency, line.amount, line.line_id, twin.line_id
FROM open_lines AS line
JOIN (
  SELECT gateway, transaction_id, gateway_currency, gateway_amount, direction, MIN(line_id) AS line_id
  FROM pairs
  GROUP BY gateway, transaction_id, gateway_currency, gateway_amount, direction
) AS twin
  ON twin.gateway = line.gateway
  AND twin.transaction_id = line.merchant_reference
  AND twin.gateway_currency = line.currency
  AND twin.gateway_amount = line.amount
  AND twin.direction = line.direction;

DELETE FROM open_lines WHERE line_id IN (SELECT line_id FROM found WHERE tender_id IS NULL);

-- Money that went back without a return in the ledger; and payments that the ledger does not know.
INSERT INTO found (business_date, class, gateway, currency, difference, line_id, related)
SELECT
  line.gateway_day,
  CASE
    WHEN line.kind IN ('refund', 'chargeback', 'chargeback-reversed') THEN 'refund-or-chargeback'
    WHEN ambiguous.line_id IS NOT NULL THEN 'unexplained'
    ELSE 'missing-in-ledger'
  END,
  line.gateway, line.currency, line.amount, line.line_id, original.tender_id
FROM open_lines AS line
LEFT JOIN (SELECT DISTINCT line_id FROM candidates) AS ambiguous ON ambiguous.line_id = line.line_id
LEFT JOIN (
  SELECT gateway, gateway_reference, MIN(tender_id) AS tender_id
  FROM tenders
  WHERE direction = 1
  GROUP BY gateway, gateway_reference
) AS original
  ON original.gateway = line.gateway
  AND original.gateway_reference = line.gateway_reference;
