-- Moves a lane's position and counts what its open transaction did to each table. Nothing is updated
-- (no row) when the position is not where this applier left it, or a table was loaded again or taken out
-- of the stream meanwhile.
-- Parameters: $1 lane, $2 end LSN so far, $3 commit LSN, $4 end LSN, $5 commit time in microseconds
-- since 1970; arrays, one element a table: $6 source oid, $7 epoch LSN, $8 inserts, $9 updates,
-- $10 deletes, $11 truncates. Minimum version: 9.5. Rows: none, one updated.
WITH counted AS (
    UPDATE pgcutover.tables t
       SET inserts = t.inserts + d.inserts, updates = t.updates + d.updates,
           deletes = t.deletes + d.deletes, truncates = t.truncates + d.truncates
      FROM ROWS FROM (pg_catalog.unnest($6::oid[]), pg_catalog.unnest($7::pg_lsn[]),
                      pg_catalog.unnest($8::bigint[]), pg_catalog.unnest($9::bigint[]),
                      pg_catalog.unnest($10::bigint[]), pg_catalog.unnest($11::bigint[]))
           AS d (source_oid, epoch_lsn, inserts, updates, deletes, truncates)
     WHERE t.source_oid = d.source_oid AND t.epoch_lsn = d.epoch_lsn AND t.behind_lsn IS NULL
    RETURNING 1)
UPDATE pgcutover.progress p
   SET commit_lsn = $3::pg_lsn, end_lsn = $4::pg_lsn,
       commit_time = 'epoch'::timestamptz + $5::bigint * '1 microsecond'::interval
 WHERE p.lane = $1::int AND p.end_lsn = $2::pg_lsn
   AND (SELECT pg_catalog.count(*) FROM counted) = pg_catalog.cardinality($6::oid[])
