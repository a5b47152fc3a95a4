-- What somebody found out about a break, if its difference still is the one that was looked into. The lock keeps two of the same from both being new; the same said again is kept once.
LOCK TABLE finance.reconciliation_resolutions;

INSERT INTO finance.reconciliation_resolutions (resolution_id, break_id, difference, resolved_by, resolved_at, reason)
SELECT
  MD5(breaks.break_id || '|' || CAST(breaks.difference AS varchar(20)) || '|' || :resolved_by || '|' || :reason),
  breaks.break_id,
  breaks.difference,
  :resolved_by,
  :resolved_at,
  :reason
FROM finance.reconciliation_breaks AS breaks
WHERE breaks.break_id = :break_id
  AND breaks.difference = :difference
  AND NOT EXISTS (
    SELECT 1
    FROM finance.reconciliation_resolutions AS earlier
    WHERE earlier.break_id = breaks.break_id
      AND earlier.difference = breaks.difference
      AND earlier.resolved_by = :resolved_by
      AND earlier.reason = :reason
  );
