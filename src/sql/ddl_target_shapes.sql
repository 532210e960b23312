-- The same of the tables that they go to, where all of their columns are copied; of columns that are text for the time being the type they had.
-- Parameters: $1 oid[], on the source. Minimum version: 9.6. Rows: one a table, by the source's oid: that oid, the
-- source's schema and name as the target knows them, digest, target oid.
SELECT t.source_oid, t.source_schema, t.source_table, pg_catalog.md5(coalesce(pg_catalog.string_agg(pg_catalog.format('%I %s',
           a.attname, CASE WHEN a.atttypid = 'pg_catalog.text'::pg_catalog.regtype AND x.type IS NOT NULL THEN x.type
                           ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END), ',' ORDER BY a.attname::pg_catalog.text COLLATE "C")
           FILTER (WHERE a.attname IS NOT NULL), '')), c.oid
FROM pgcutover.tables t
JOIN pg_catalog.pg_namespace n ON n.nspname = t.target_schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.target_table
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pgcutover.text_columns x ON x.table_oid = c.oid AND x.attnum = a.attnum
WHERE t.source_oid = ANY ($1::pg_catalog.oid[]) AND t.columns IS NULL
GROUP BY t.source_oid, t.source_schema, t.source_table, c.oid
ORDER BY t.source_oid::pg_catalog.int8
