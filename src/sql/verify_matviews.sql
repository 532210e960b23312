-- Materialized views that hold rows.
-- Parameters: none. Minimum version: 9.5. Rows: schema, name.
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'pgcutover'
ORDER BY n.nspname, c.relname
