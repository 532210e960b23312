-- Which of these tables are not in a publication yet?
-- Parameters: $1 text[] of quoted names, $2 publication. Minimum version: 10. Rows: name as given.
SELECT t.name
FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS t (name, n)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication p
    JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
    WHERE p.pubname = $2 AND r.prrelid = pg_catalog.to_regclass(t.name))
ORDER BY t.n
