-- wraparound: databases with half of their transaction numbers used; a slot keeps the catalog from being frozen.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('%I is %s transactions old', d.datname, pg_catalog.age(d.datfrozenxid)),
       pg_catalog.format('VACUUM FREEZE; -- in database %I, as its owner or a superuser', d.datname)
FROM pg_catalog.pg_database d
WHERE pg_catalog.age(d.datfrozenxid) > 1000000000
ORDER BY pg_catalog.age(d.datfrozenxid) DESC
