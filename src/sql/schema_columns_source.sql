-- Columns of the given tables, as the changes will bring them.
-- Parameters: array of OIDs. Minimum version: 9.5. Rows: one a column: place of its table in the array, column, type.
-- Type name sorts by bytes on every server, and takes no COLLATE before 12.
SELECT t.ordinality, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.unnest($1::oid[]) WITH ORDINALITY AS t (oid, ordinality)
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY t.ordinality, a.attname
