-- What the payment gateways settled. A gateway's file is in these tables whole or not at all, and nothing in them is ever
-- changed. Amounts are signed integers in the minor unit of their row's currency; positive is in our favour, so what a
-- gateway pays out to the bank is negative, and the lines of a batch that was paid out whole add up to zero.

-- Every file that was loaded, by its content: the same content again, under any name, is the same file.
CREATE TABLE finance.settlement_files (
  file_digest varchar(64) NOT NULL,
  object_key varchar(1024) NOT NULL,
  gateway varchar(64) NOT NULL,
  rows bigint NOT NULL,
  -- Over all currencies: they mean nothing, but a copy that lost or changed a row has others.
  gross bigint NOT NULL,
  fee bigint NOT NULL,
  net bigint NOT NULL,
  first_settled_date date NOT NULL,
  last_settled_date date NOT NULL,
  loaded_at timestamp NOT NULL,
  PRIMARY KEY (file_digest)
);

-- The batches or payouts that the files settle, one row per currency. A batch lies in one file: it comes once.
CREATE TABLE finance.settlement_batches (
  gateway varchar(64) NOT NULL,
  batch varchar(64) NOT NULL,
  currency varchar(3) NOT NULL,
  file_digest varchar(64) NOT NULL,
  rows bigint NOT NULL,
  gross bigint NOT NULL,
  fee bigint NOT NULL,
  net bigint NOT NULL,
  -- What the gateway says that it paid out, positive; null where the file does not say.
  paid_out bigint,
  PRIMARY KEY (gateway, batch, currency)
);

-- The rows of the files, in one form for all gateways.
CREATE TABLE finance.settlement_lines (
  -- Made from gateway, batch, row number and what the row says.
  settlement_line_id varchar(64) NOT NULL,
  gateway varchar(64) NOT NULL,
  batch varchar(64) NOT NULL,
  -- Place of the row in its file, the first one below the header is 1.
  row_number integer NOT NULL,
  -- payment, refund, chargeback, chargeback-reversed, fee, adjustment or payout
  kind varchar(32) NOT NULL,
  -- The gateway's name for what this row is: the payment, or the refund where the gateway names refunds.
  gateway_reference varchar(128),
  -- The payment that a refund or a chargeback takes back, where the file says so.
  payment_reference varchar(128),
  -- What we sent with the payment: the transaction of the sale.
  merchant_reference varchar(128),
  -- UTC
  occurred_at timestamp,
  settled_date date NOT NULL,
  currency varchar(3) NOT NULL,
  gross bigint NOT NULL,
  fee bigint NOT NULL,
  -- gross - fee
  net bigint NOT NULL,
  -- What the customer was charged or given back, in the currency of the sale; the same as gross where nothing was converted.
  original_currency varchar(3) NOT NULL,
  original_gross bigint NOT NULL,
  file_digest varchar(64) NOT NULL,
  loaded_at timestamp NOT NULL,
  PRIMARY KEY (settlement_line_id)
);
