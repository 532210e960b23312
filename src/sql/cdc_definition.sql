-- A table's definition as pgoutput would tell it (logicalrep_write_rel() and _attrs() in PostgreSQL's
-- replication/logical/proto.c): under REPLICA IDENTITY FULL every column is part of the key.
-- Parameters: $1 schema, $2 name; $3 oid, which counts instead unless it is null. Minimum version: 9.5.
-- Rows: one a column, none where there is no such table: oid of the table, replica identity, column (null where
-- the table has none), type oid, type modifier, type without it, part of the key, the key has a system column.
SELECT c.oid, c.relreplident, a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, NULL),
       c.relreplident = 'f' OR coalesce(a.attnum = ANY (i.indkey), false),
       coalesce(0 > ANY (i.indkey), false)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
    AND ((c.relreplident = 'd' AND i.indisprimary) OR (c.relreplident = 'i' AND i.indisreplident))
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE CASE WHEN $3::pg_catalog.oid IS NULL THEN n.nspname = $1::pg_catalog.name AND c.relname = $2::pg_catalog.name
           ELSE c.oid = $3::pg_catalog.oid END AND c.relkind = 'r'
ORDER BY a.attnum
