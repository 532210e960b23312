-- One text that changes when a table comes or goes.
-- Parameters: none. Minimum version: 9.5. Rows: one.
SELECT pg_catalog.md5(coalesce(pg_catalog.string_agg(c.oid::pg_catalog.text, ',' ORDER BY c.oid), ''))
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'
