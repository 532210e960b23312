-- Records a loaded table, in the transaction that loads it.
-- Parameters: $1 source oid, $2 epoch lsn (may be null), $3 rows, $4 bytes. Minimum version: 9.5.
-- Rows: one where the table is known.
UPDATE pgcutover.tables
SET loaded = true, epoch_lsn = $2::pg_catalog.pg_lsn, rows_loaded = $3::pg_catalog.int8,
    bytes_loaded = $4::pg_catalog.int8, load_started = pg_catalog.now(),
    load_ended = pg_catalog.clock_timestamp()
WHERE source_oid = $1::pg_catalog.oid
RETURNING source_oid
