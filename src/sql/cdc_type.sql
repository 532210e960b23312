-- The types of a row, by the names that format_type() gives with an empty search_path.
-- Parameters: $1 text[] of names. Minimum version: 9.5. Rows: one a name, in order: oid, 0 where there is no such type.
SELECT coalesce((SELECT t.oid FROM pg_catalog.pg_type t WHERE pg_catalog.format_type(t.oid, NULL) = u.name LIMIT 1), 0)
FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS u (name, pos)
ORDER BY u.pos
