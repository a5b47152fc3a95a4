-- What reconciliation finds, by business day. A day that is reconciled again is replaced whole: these tables say how it
-- stands, reconciliation_runs says how it stood. Amounts are signed integers in the minor unit of their row's currency.

-- Which line of a gateway's settlement is which tender of ours, one to one. Kept under the business day of the sale.
CREATE TABLE finance.reconciliation_matches (
  business_date date NOT NULL,
  gateway varchar(64) NOT NULL,
  source varchar(32) NOT NULL,
  transaction_id varchar(64) NOT NULL,
  tender bigint NOT NULL,
  settlement_line_id varchar(64) NOT NULL,
  -- the first rule that found the pair: see match.sql
  rule varchar(32) NOT NULL,
  -- the day on which the gateway counts it
  gateway_day date NOT NULL
);

-- Every difference between the ledger's day and the gateway's, with the evidence of both sides.
CREATE TABLE finance.reconciliation_breaks (
  -- The same for the same finding, however often its day is reconciled: resolutions refer to it.
  break_id varchar(32) NOT NULL,
  business_date date NOT NULL,
  gateway varchar(64) NOT NULL,
  currency varchar(3) NOT NULL,
  -- see classify.sql
  class varchar(32) NOT NULL,
  -- what the gateway counts on this day beyond what the ledger does
  difference bigint NOT NULL,
  age_days integer NOT NULL,
  -- until when the gateway should have settled it; null where nothing of ours is waiting
  due_date date,
  rule varchar(32),
  source varchar(32),
  transaction_id varchar(64),
  tender bigint,
  ledger_business_date date,
  ledger_occurred_at timestamp,
  ledger_currency varchar(3),
  ledger_amount bigint,
  ledger_reference varchar(128),
  card_brand varchar(64),
  card_last4 varchar(4),
  settlement_line_id varchar(64),
  batch varchar(64),
  row_number integer,
  kind varchar(32),
  gateway_day date,
  gateway_occurred_at timestamp,
  settled_date date,
  gateway_currency varchar(3),
  gateway_amount bigint,
  gateway_fee bigint,
  gateway_reference varchar(128),
  merchant_reference varchar(128),
  -- the other finding that explains this one, such as the tender that a repeated line repeats
  related varchar(160),
  PRIMARY KEY (break_id)
);

-- The proof of a day, by gateway and currency:
-- ledger_amount + differences + unexplained = settled_amount + in_transit_amount.
CREATE TABLE finance.reconciliation_totals (
  business_date date NOT NULL,
  gateway varchar(64) NOT NULL,
  currency varchar(3) NOT NULL,
  ledger_tenders bigint NOT NULL,
  ledger_amount bigint NOT NULL,
  settled_lines bigint NOT NULL,
  settled_amount bigint NOT NULL,
  in_transit_tenders bigint NOT NULL,
  in_transit_amount bigint NOT NULL,
  -- signed, of all breaks that have a class which explains them
  differences bigint NOT NULL,
  -- what is left: no rule explains it
  unexplained bigint NOT NULL,
  -- what the gateway kept, and what it paid out or will, of lines settled in this currency
  fees bigint NOT NULL,
  net_amount bigint NOT NULL,
  PRIMARY KEY (business_date, gateway, currency)
);

-- Every time that a day was reconciled. The newest revision is how it stands.
CREATE TABLE finance.reconciliation_runs (
  business_date date NOT NULL,
  revision integer NOT NULL,
  run_id varchar(128) NOT NULL,
  as_of date NOT NULL,
  ran_at timestamp NOT NULL,
  -- the gateways' terms that were used
  terms varchar(8192) NOT NULL,
  matches bigint NOT NULL,
  breaks bigint NOT NULL,
  -- tells whether a later revision found anything else
  breaks_amount bigint NOT NULL,
  unexplained_amount bigint NOT NULL,
  PRIMARY KEY (business_date, revision)
);

-- What people have found out about a break. Nothing is adjusted by it; the newest counts, as long as the difference is the
-- one that it was about.
CREATE TABLE finance.reconciliation_resolutions (
  resolution_id varchar(64) NOT NULL,
  break_id varchar(32) NOT NULL,
  difference bigint NOT NULL,
  resolved_by varchar(128) NOT NULL,
  resolved_at timestamp NOT NULL,
  reason varchar(1000) NOT NULL,
  PRIMARY KEY (resolution_id)
);

-- Every break with the newest resolution that is about its very difference.
CREATE VIEW finance.reconciliation_findings AS
SELECT
  breaks.break_id, breaks.business_date, breaks.gateway, breaks.currency, breaks.class, breaks.difference, breaks.age_days,
  breaks.due_date, breaks.rule, breaks.source, breaks.transaction_id, breaks.tender, breaks.ledger_business_date,
  breaks.ledger_occurred_at, breaks.ledger_currency, breaks.ledger_amount, breaks.ledger_reference, breaks.card_brand,
  breaks.card_last4, breaks.settlement_line_id, breaks.batch, breaks.row_number, breaks.kind, breaks.gateway_day,
  breaks.gateway_occurred_at, breaks.settled_date, breaks.gateway_currency, breaks.gateway_amount, breaks.gateway_fee,
  breaks.gateway_reference, breaks.merchant_reference, breaks.related,
  resolutions.resolved_by, resolutions.resolved_at, resolutions.reason
FROM finance.reconciliation_breaks AS breaks
LEFT JOIN (
  SELECT break_id, difference, resolved_by, resolved_at, reason,
    ROW_NUMBER() OVER (PARTITION BY break_id, difference ORDER BY resolved_at DESC, resolution_id) AS place
  FROM finance.reconciliation_resolutions
) AS resolutions
  ON resolutions.break_id = breaks.break_id
  AND resolutions.difference = breaks.difference
  AND resolutions.place = 1;
