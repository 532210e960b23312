-- A column list and the columns that a table has.
-- Parameters: $1 table oid, $2 text[] names, $3 boolean: they are left out, not taken. Minimum version: 9.5.
-- Rows: one: names that the table does not have (null: it has all), text[] of the columns taken in their
-- order (null: none), all columns.
SELECT (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(l.name), ', ' ORDER BY l.n)
          FROM pg_catalog.unnest($2::pg_catalog.text[]) WITH ORDINALITY AS l (name, n)
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::pg_catalog.oid
                              AND a.attname = l.name AND a.attnum > 0 AND NOT a.attisdropped)),
       pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum)
           FILTER (WHERE (a.attname = ANY ($2::pg_catalog.text[])) <> $3::pg_catalog.bool),
       pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped
