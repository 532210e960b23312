-- slot-probe: whom the creation of a slot waits for, however young.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('pid %s, user %s, database %s, open for %s: %s', a.pid, a.usename, a.datname,
           coalesce(pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start)::text,
                    'an unknown time'),
           pg_catalog."left"(pg_catalog.regexp_replace(a.query, '\s+', ' ', 'g'), 60)),
       pg_catalog.format('SELECT pg_terminate_backend(%s); -- or wait for its end', a.pid)
FROM pg_catalog.pg_stat_activity a
WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
UNION ALL
SELECT pg_catalog.format('prepared transaction %L of %I in database %I', p.gid, p.owner, p.database),
       pg_catalog.format('COMMIT PREPARED %L; -- or ROLLBACK PREPARED, in database %I', p.gid, p.database)
FROM pg_catalog.pg_prepared_xacts p
