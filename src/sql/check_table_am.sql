-- table-am: tables that are kept by another access method than heap.
-- Parameters: $1 oids of the picked tables. Minimum version: 12. Rows: item.
SELECT pg_catalog.format('%I.%I (%I)', n.nspname, c.relname, m.amname)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE m.amname <> 'heap'
ORDER BY n.nspname, c.relname
