-- pubs-all: publications of everything, which take in what the migration itself makes on the source.
-- Parameters: none. Minimum version: 10. Rows: item.
SELECT pg_catalog.quote_ident(p.pubname)
FROM pg_catalog.pg_publication p
WHERE p.puballtables AND p.pubname !~ '^pgcutover'
ORDER BY p.pubname
