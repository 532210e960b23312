-- column-list: columns of a table's replica identity that a column list leaves out.
-- Parameters: $1 table oid, $2 text[] the list. Minimum version: 9.5. Rows: one: their names, null: none.
SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
    AND ((c.relreplident = 'd' AND i.indisprimary) OR (c.relreplident = 'i' AND i.indisreplident))
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE c.oid = $1::pg_catalog.oid AND a.attname <> ALL ($2::pg_catalog.text[])
