-- The picked tables and how far each is, as the target knows it.
-- Parameters: none. Minimum version: 9.5. Rows: one a table.
SELECT source_oid, source_schema, source_table, target_schema, target_table,
       mode = 'at-cutover', row_filter, needs_full, est_rows, est_bytes, epoch_lsn, loaded, indexed,
       rows_loaded, bytes_loaded,
       (pg_catalog.date_part('epoch', load_started) * 1000000)::bigint,
       (pg_catalog.date_part('epoch', load_ended) * 1000000)::bigint,
       inserts, updates, deletes, truncates, behind_lsn, stopped,
       (SELECT pg_catalog.count(*) FROM pgcutover.conflicts c WHERE c.source_oid = t.source_oid),
       columns, final_schema, final_table
FROM pgcutover.tables t WHERE mode IN ('sync', 'at-cutover') ORDER BY source_oid;
