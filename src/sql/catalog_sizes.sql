-- What the tables take on disk, with TOAST, without indexes. Locks each for a moment.
-- Parameters: none. Minimum version: 9.5. Rows: one a table: oid, bytes.
SELECT c.oid, pg_catalog.pg_table_size(c.oid)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
    AND n.nspname !~ '^(pg_|pgcutover_)' AND n.nspname NOT IN ('information_schema', 'pgcutover')
