-- column-list: columns that are left out, but cannot be empty: NOT NULL without a default, an identity or an
-- expression.
-- Parameters: $1 table oid, $2 text[] the list. Minimum version: 9.5. Rows: one: their names, null: none.
SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attnotnull AND NOT a.atthasdef AND coalesce(pg_catalog.to_jsonb(a) ->> 'attidentity', '') = ''
    AND a.attname <> ALL ($2::pg_catalog.text[])
