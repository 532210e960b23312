-- coll-drift: the host's collations have changed since the indexes were built.
-- Parameters: none. Minimum version: 10. Rows: item, fix.
SELECT pg_catalog.format('collation %I.%I was built with %s, the host has %s', n.nspname, l.collname, l.collversion,
           pg_catalog.pg_collation_actual_version(l.oid)),
       pg_catalog.format('ALTER COLLATION %I.%I REFRESH VERSION; -- after REINDEX', n.nspname, l.collname)
FROM pg_catalog.pg_collation l
JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
WHERE l.collversion <> pg_catalog.pg_collation_actual_version(l.oid)
    AND l.collencoding IN (-1, (SELECT d.encoding FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
ORDER BY n.nspname, l.collname
