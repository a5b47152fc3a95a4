-- The sales as they were first booked. Written out, not made from the definition of the files' rows: that one grows, and a
-- column that comes to it later comes here with a step of its own, so that old ledgers and new ones are the same.
CREATE TABLE finance.sale_lines (
  source varchar(32) NOT NULL,
  transaction_id varchar(64) NOT NULL,
  line bigint NOT NULL,
  type varchar(8) NOT NULL,
  channel varchar(8) NOT NULL,
  region varchar(64) NOT NULL,
  location varchar(64) NOT NULL,
  occurred_at timestamp NOT NULL,
  business_date date NOT NULL,
  accepted_at timestamp NOT NULL,
  currency varchar(3) NOT NULL,
  original_transaction_id varchar(64),
  customer_id varchar(64),
  sku varchar(64) NOT NULL,
  category varchar(400),
  quantity bigint NOT NULL,
  unit_price bigint NOT NULL,
  discount bigint,
  tax bigint,
  units bigint NOT NULL,
  net bigint NOT NULL,
  loaded_at timestamp NOT NULL,
  PRIMARY KEY (source, transaction_id, line)
);

CREATE TABLE finance.sale_tenders (
  source varchar(32) NOT NULL,
  transaction_id varchar(64) NOT NULL,
  tender bigint NOT NULL,
  type varchar(8) NOT NULL,
  channel varchar(8) NOT NULL,
  region varchar(64) NOT NULL,
  location varchar(64) NOT NULL,
  occurred_at timestamp NOT NULL,
  business_date date NOT NULL,
  accepted_at timestamp NOT NULL,
  currency varchar(3) NOT NULL,
  original_transaction_id varchar(64),
  tender_type varchar(16) NOT NULL,
  amount bigint NOT NULL,
  signed_amount bigint NOT NULL,
  gateway varchar(64),
  gateway_reference varchar(128),
  card_token varchar(32),
  card_brand varchar(64),
  card_bin varchar(8),
  card_last4 varchar(4),
  card_country varchar(64),
  card_funding varchar(64),
  tender_difference bigint NOT NULL,
  loaded_at timestamp NOT NULL,
  PRIMARY KEY (source, transaction_id, tender)
);

-- Which files of the lake are in the ledger: a load that finds one of its files here changes nothing.
CREATE TABLE finance.loaded_files (
  object_key varchar(1024) NOT NULL,
  table_name varchar(32) NOT NULL,
  accepted_date date NOT NULL,
  bytes bigint NOT NULL,
  load_id varchar(64) NOT NULL,
  loaded_at timestamp NOT NULL
);
