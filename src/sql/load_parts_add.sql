-- The parts of a table, in the transaction that empties it.
-- Parameters: $1 source oid, $2 snapshot, $3 conditions text[]. Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.parts (source_oid, part, snapshot, condition)
SELECT $1::pg_catalog.oid, x.n - 1, $2, x.condition
FROM pg_catalog.unnest($3::pg_catalog.text[]) WITH ORDINALITY AS x (condition, n)
