-- Takes tables out of the stream, to be loaded: from the stream's present place on their changes are kept.
-- Parameters: $1 oid[] on the source. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.tables
   SET loaded = false, indexed = false, epoch_lsn = NULL, stopped = NULL, load_started = NULL, load_ended = NULL,
       rows_loaded = 0, bytes_loaded = 0,
       behind_lsn = (SELECT pg_catalog.min(end_lsn) FROM pgcutover.progress)
 WHERE source_oid = ANY ($1::pg_catalog.oid[]) AND mode = 'sync';
