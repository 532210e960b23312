-- The parts of a table, in the transaction that empties it.
-- Parameters: $1 source oid, $2 snapshot, $3 first pages int8[], $4 end pages int8[] (-1: the table's end).
-- Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.parts (source_oid, part, snapshot, first_page, end_page)
SELECT $1::pg_catalog.oid, x.n - 1, $2, x.first_page, nullif(x.end_page, -1)
FROM ROWS FROM (pg_catalog.unnest($3::pg_catalog.int8[]), pg_catalog.unnest($4::pg_catalog.int8[]))
    WITH ORDINALITY AS x (first_page, end_page, n)
