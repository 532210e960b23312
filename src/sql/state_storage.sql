-- The storage that each loaded table had on the source when it was loaded, for load_storage_changed.sql; but of those that are
-- stopped already.
-- Parameters: none. Minimum version: 9.5. Rows: one: json, null where there is no such table.
SELECT pg_catalog.json_agg(pg_catalog.json_build_object('oid', t.source_oid, 'schema', t.source_schema,
                                                        'name', t.source_table, 'storage', t.storage))
FROM pgcutover.tables t
WHERE t.loaded AND t.mode = 'sync' AND t.storage <> 0 AND t.stopped IS NULL
