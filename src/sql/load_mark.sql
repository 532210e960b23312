-- Records a loaded table, in the transaction that loads it. One that is out of the stream (behind_lsn) has its
-- place at the snapshot from now on: the applier's catch-up pass brings it back in.
-- Parameters: $1 source oid, $2 epoch lsn (may be null), $3 rows, $4 bytes. Minimum version: 9.5.
-- Rows: one where the table is known.
UPDATE pgcutover.tables
SET loaded = true, epoch_lsn = $2::pg_catalog.pg_lsn, rows_loaded = $3::pg_catalog.int8,
    bytes_loaded = $4::pg_catalog.int8, load_started = pg_catalog.now(),
    behind_lsn = CASE WHEN behind_lsn IS NOT NULL THEN $2::pg_catalog.pg_lsn END,
    load_ended = pg_catalog.clock_timestamp()
WHERE source_oid = $1::pg_catalog.oid
RETURNING source_oid
