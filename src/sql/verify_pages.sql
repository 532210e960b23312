-- How many pages a table has at present, where reading a range of them is fast: a heap, with its rows in itself.
-- Parameters: $1 schema, $2 name. Minimum version: 14. Rows: one: pages; none for what is no such table.
SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' AND m.amname = 'heap'
