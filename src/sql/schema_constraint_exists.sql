-- Is there a foreign key of this name on this table?
-- Parameters: schema, table, constraint. Minimum version: 9.5. Rows: one or none.
SELECT 1
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND k.conname = $3 AND k.contype = 'f'
