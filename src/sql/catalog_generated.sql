-- The tables with a generated column.
-- Parameters: none. Minimum version: 12. Rows: one a table: its oid.
SELECT DISTINCT a.attrelid
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''
