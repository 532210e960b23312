-- sync.mode sync-only: every table is on the target as it is on the source at that position.
-- Parameters: $1 the position. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.tables SET loaded = true, indexed = true, epoch_lsn = $1::pg_lsn, load_started = pg_catalog.now(), load_ended = pg_catalog.now()
