-- Columns of the given tables, as the changes will bring them.
-- Parameters: $1 array of OIDs, $2 text[] in the same order: the column list of each, a text[] literal, or ''
-- (all). Minimum version: 9.5. Rows: one a column: place of its table in the array, column, type.
-- Type name sorts by bytes on every server, and takes no COLLATE before 12.
SELECT t.ordinality, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::pg_catalog.text[]))
    WITH ORDINALITY AS t (oid, columns, ordinality)
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND CASE WHEN t.columns = '' THEN true ELSE a.attname = ANY (t.columns::pg_catalog.text[]) END
ORDER BY t.ordinality, a.attname
