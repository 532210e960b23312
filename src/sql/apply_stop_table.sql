-- Takes a table out of the stream and keeps why: nothing of it is applied from $2 on until it goes on.
-- Parameters: $1 source oid, $2 LSN, $3 the error as JSON; the conflict: $4 kind, $5 key, $6 values as
-- JSON, $7 SQLSTATE, $8 message, $9 commit LSN, $10 xid. Minimum version: 9.5. Rows: none, one updated.
WITH conflict AS (
    INSERT INTO pgcutover.conflicts (source_oid, kind, key, row_values, resolution, sqlstate, message,
                                     commit_lsn, xid)
    VALUES ($1::oid, $4, $5, $6::json, 'stopped', $7, $8, $9::pg_lsn, $10::bigint))
UPDATE pgcutover.tables t
   SET behind_lsn = coalesce(t.behind_lsn, $2::pg_lsn), stopped = $3::json
 WHERE t.source_oid = $1::oid
