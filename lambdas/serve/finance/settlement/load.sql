-- A settlement file into the ledger, in one transaction. The lock comes first, so that what follows sees what was
-- committed while this one waited: as we understand Redshift, it takes a transaction's snapshot at its first query
-- (docs/unverified.md).
LOCK TABLE finance.settlement_files;

-- Each of these divides by zero, and so ends the transaction, where its condition does not hold. First: the same content
-- was not loaded yet.
SELECT 1 / CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END AS none
FROM finance.settlement_files
WHERE file_digest = :digest;

CREATE TEMP TABLE arrived_settlement_lines (
  settlement_line_id varchar(64),
  gateway varchar(64),
  batch varchar(64),
  row_number integer,
  kind varchar(32),
  gateway_reference varchar(128),
  payment_reference varchar(128),
  merchant_reference varchar(128),
  occurred_at timestamp,
  settled_date date,
  currency varchar(3),
  gross bigint,
  fee bigint,
  net bigint,
  original_currency varchar(3),
  original_gross bigint
);

COPY arrived_settlement_lines FROM :manifest
IAM_ROLE :role
FORMAT AS CSV GZIP EMPTYASNULL MANIFEST;

-- What arrived is what was checked.
SELECT 1 / CASE
  WHEN COUNT(*) = :rows AND SUM(gross) = :gross AND SUM(fee) = :fee AND SUM(net) = :net THEN 1
  ELSE 0
END AS whole
FROM arrived_settlement_lines;

-- No batch of it came with another file.
SELECT 1 / CASE WHEN COUNT(*) = 0 THEN 1 ELSE 0 END AS none
FROM finance.settlement_batches AS booked
JOIN arrived_settlement_lines AS arrived ON booked.gateway = arrived.gateway AND booked.batch = arrived.batch;

INSERT INTO finance.settlement_lines (
  settlement_line_id, gateway, batch, row_number, kind, gateway_reference, payment_reference, merchant_reference,
  occurred_at, settled_date, currency, gross, fee, net, original_currency, original_gross, file_digest, loaded_at
)
SELECT
  settlement_line_id, gateway, batch, row_number, kind, gateway_reference, payment_reference, merchant_reference,
  occurred_at, settled_date, currency, gross, fee, net, original_currency, original_gross, :digest, :loaded_at
FROM arrived_settlement_lines;

INSERT INTO finance.settlement_batches (gateway, batch, currency, file_digest, rows, gross, fee, net, paid_out)
SELECT
  gateway, batch, currency, :digest, COUNT(*), SUM(gross), SUM(fee), SUM(net),
  0 - SUM(CASE WHEN kind = 'payout' THEN net END)
FROM arrived_settlement_lines
GROUP BY gateway, batch, currency;

INSERT INTO finance.settlement_files (
  file_digest, object_key, gateway, rows, gross, fee, net, first_settled_date, last_settled_date, loaded_at
)
SELECT
  :digest, :object_key, MIN(gateway), COUNT(*), SUM(gross), SUM(fee), SUM(net), MIN(settled_date), MAX(settled_date),
  :loaded_at
FROM arrived_settlement_lines;
