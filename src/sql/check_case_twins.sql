-- case-twins: names of one schema that are the same but for the case.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.relname), ' and ' ORDER BY c.relname)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
GROUP BY n.oid, pg_catalog.lower(c.relname)
HAVING pg_catalog.count(*) > 1
ORDER BY 1
