-- inherit: tables that inherit from others, apart from partitions.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I.%I from %I.%I', n.nspname, c.relname, pn.nspname, p.relname)
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'r'
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
JOIN pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid) ON picked.oid = c.oid
ORDER BY 1
