-- With the last part the table is loaded (as load_mark.sql has it), in the same transaction.
-- Parameters: $1 source oid, $2 epoch lsn (may be null), $3 storage on the source oid. Minimum version: 9.5. Rows: one
-- when it was the last part: the table's rows, bytes, and how many indexes and keys its own job has to build.
UPDATE pgcutover.tables t
SET loaded = true, epoch_lsn = $2::pg_catalog.pg_lsn, rows_loaded = x.rows, bytes_loaded = x.bytes,
    behind_lsn = CASE WHEN t.behind_lsn IS NOT NULL THEN $2::pg_catalog.pg_lsn END,
    load_started = x.started, load_ended = pg_catalog.clock_timestamp(), storage = $3
FROM (SELECT pg_catalog.bool_and(copied) AS all_copied, pg_catalog.sum(rows_loaded) AS rows,
          pg_catalog.sum(bytes_loaded) AS bytes, pg_catalog.min(started) AS started
      FROM pgcutover.parts WHERE source_oid = $1) x
WHERE t.source_oid = $1 AND x.all_copied
RETURNING t.rows_loaded, t.bytes_loaded,
    (SELECT pg_catalog.count(*) FROM pgcutover.objects o
     WHERE o.table_oid = t.source_oid AND o.by_table AND o.phase = 'index'
        AND o.object_type IN ('INDEX', 'CONSTRAINT') AND o.state IN ('pending', 'failed'))
