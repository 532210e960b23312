-- with-oids: hidden columns that 12 has no more.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5, maximum 11. Rows: item, fix.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.format('ALTER TABLE %I.%I SET WITHOUT OIDS;', n.nspname, c.relname)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relhasoids
ORDER BY n.nspname, c.relname
