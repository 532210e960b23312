-- How many pages a table has on the source at present, where reading a range of them is fast: a heap.
-- Parameters: $1 oid. Minimum version: 14. Rows: one: pages; none for what is no heap.
SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE c.oid = $1 AND c.relkind = 'r' AND m.amname = 'heap'
