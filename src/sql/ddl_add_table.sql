-- Takes a table into the migration that is new on the source: in the stream from its first row on, or copied at the cutover.
-- Parameters: $1 source oid, $2 schema, $3 table, $4 mode, $5 LSN of the commit that made it.
-- Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.tables (source_oid, source_schema, source_table, target_schema, target_table, mode,
                              epoch_lsn, loaded, indexed, load_started, load_ended)
SELECT $1::pg_catalog.oid, $2, $3, $2, $3, $4, CASE $4 WHEN 'sync' THEN $5::pg_catalog.pg_lsn END,
       $4 = 'sync', $4 = 'sync', pg_catalog.now(), pg_catalog.now()
ON CONFLICT (source_oid) DO NOTHING
