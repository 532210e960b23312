-- Which of these tables are not in a publication yet?
-- Parameters: $1 text[] of quoted names, $2 publication, $3 text[] of column lists in the same order, each a
-- text[] literal or '' (all columns). Minimum version: 10. Rows: name as given, its place in $1, the column
-- list for ALTER PUBLICATION, without generated columns ('': all).
SELECT t.name, t.n,
    CASE WHEN t.columns = '' THEN '' ELSE ' (' ||
        (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
           FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = pg_catalog.to_regclass(t.name) AND a.attname = ANY (t.columns::pg_catalog.text[])
            AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = '') || ')' END
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[]))
    WITH ORDINALITY AS t (name, columns, n)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication p
    JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
    WHERE p.pubname = $2 AND r.prrelid = pg_catalog.to_regclass(t.name))
ORDER BY t.n
