-- Where the versions of the schema are recorded: must be there before the first one.
CREATE SCHEMA IF NOT EXISTS finance;

CREATE TABLE IF NOT EXISTS finance.schema_versions (
  version integer NOT NULL,
  applied_at timestamp NOT NULL
);
