-- How each day stands, by its newest revision.
SELECT
  CAST(business_date AS varchar(10)) AS business_date,
  revision, CAST(as_of AS varchar(10)) AS as_of, CAST(ran_at AS varchar(19)) AS ran_at, matches, breaks, unexplained_amount
FROM (
  SELECT business_date, revision, as_of, ran_at, matches, breaks, unexplained_amount,
    ROW_NUMBER() OVER (PARTITION BY business_date ORDER BY revision DESC) AS place
  FROM finance.reconciliation_runs
  WHERE business_date BETWEEN :from_date AND :to_date
) AS numbered
WHERE place = 1
ORDER BY business_date
