-- The ledger's own tables. Those of the sales are made from the definition of their rows (ledger.ts).

-- Which files of the lake are in the ledger: a load that finds one of its files here changes nothing.
CREATE TABLE finance.loaded_files (
  object_key varchar(1024) NOT NULL,
  table_name varchar(32) NOT NULL,
  accepted_date date NOT NULL,
  bytes bigint NOT NULL,
  load_id varchar(64) NOT NULL,
  loaded_at timestamp NOT NULL
);
