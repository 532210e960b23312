-- prepared-xact: prepared transactions, in any database of the cluster.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('%L of %I in database %I, prepared %s ago', p.gid, p.owner, p.database,
           pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - p.prepared)),
       pg_catalog.format('COMMIT PREPARED %L; -- or ROLLBACK PREPARED, in database %I', p.gid, p.database)
FROM pg_catalog.pg_prepared_xacts p
ORDER BY p.prepared
