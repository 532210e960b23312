-- How the tables stand to the stream, and by what one can tell later that nobody has written to them since.
-- Parameters: none. Minimum version: 9.5. Rows: OID on the source, is in the stream and not behind it, changes applied so
-- far, mark of what was written to it by anybody (null: cannot be told).
SELECT t.source_oid,
    t.mode = 'sync' AND t.loaded AND t.indexed AND t.behind_lsn IS NULL,
    t.inserts + t.updates + t.deletes + t.truncates,
    CASE WHEN c.relkind = 'r' AND pg_catalog.current_setting('track_counts')::boolean THEN pg_catalog.concat_ws('/', c.relfilenode, pg_catalog.pg_stat_get_tuples_inserted(c.oid),
        pg_catalog.pg_stat_get_tuples_updated(c.oid), pg_catalog.pg_stat_get_tuples_deleted(c.oid)) END
FROM pgcutover.tables t
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.target_schema
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.target_table
