-- The names of tables, and their columns in short: two that are equal have equal columns.
-- Parameters: $1 oid[]. Minimum version: 9.6. Rows: one a table, by oid: oid, schema, name, digest.
SELECT c.oid, n.nspname, c.relname, pg_catalog.md5(coalesce(pg_catalog.string_agg(pg_catalog.format('%I %s',
           a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ',' ORDER BY a.attname::pg_catalog.text COLLATE "C")
           FILTER (WHERE a.attname IS NOT NULL), ''))
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = ANY ($1::pg_catalog.oid[])
GROUP BY c.oid, n.nspname, c.relname
ORDER BY c.oid::pg_catalog.int8
