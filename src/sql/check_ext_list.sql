-- ext-list: extensions of the source that the target's host does not have.
-- Parameters: $1 names as an array. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.quote_ident(wanted.name),
       pg_catalog.format('CREATE EXTENSION %I; -- on the target, after its packages are installed there',
           wanted.name)
FROM pg_catalog.unnest($1::text[]) AS wanted(name)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_available_extensions a WHERE a.name = wanted.name)
ORDER BY 1
