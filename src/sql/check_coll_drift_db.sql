-- coll-drift: the host's collation has changed since the database was made.
-- Parameters: none. Minimum version: 15. Rows: item, fix.
SELECT pg_catalog.format('database %I was built with %s, the host has %s', d.datname, d.datcollversion,
           pg_catalog.pg_database_collation_actual_version(d.oid)),
       pg_catalog.format('REINDEX DATABASE %I; ALTER DATABASE %1$I REFRESH COLLATION VERSION;', d.datname)
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()
    AND d.datcollversion <> pg_catalog.pg_database_collation_actual_version(d.oid)
