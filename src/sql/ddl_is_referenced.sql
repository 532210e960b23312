-- Does a foreign key of another table refer to a table? Then it cannot be truncated.
-- Parameters: $1 schema, $2 name. Minimum version: 9.5. Rows: one, boolean; none if there is no such table.
SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint k
               WHERE k.confrelid = c.oid AND k.contype = 'f' AND k.conrelid <> c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
