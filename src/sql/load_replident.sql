-- The replica identity of a table.
-- Parameters: $1 schema, $2 name. Minimum version: 9.5. Rows: d, n, f, or i followed by the index's name.
SELECT CASE WHEN c.relreplident = 'i'
    THEN 'i' || coalesce((SELECT x.relname FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid = c.oid AND i.indisreplident), '')
    ELSE c.relreplident::pg_catalog.text END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
