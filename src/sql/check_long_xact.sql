-- long-xact: transactions that have written and stay open, in any database. The start of other roles'
-- transactions is seen by superusers and pg_monitor only; slot-probe finds the rest.
-- Parameters: $1 age in seconds. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('pid %s, user %s, database %s, open for %s, %s: %s', a.pid, a.usename, a.datname,
           pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start), a.state,
           pg_catalog."left"(pg_catalog.regexp_replace(a.query, '\s+', ' ', 'g'), 60)),
       pg_catalog.format('SELECT pg_terminate_backend(%s); -- or wait for its end', a.pid)
FROM pg_catalog.pg_stat_activity a
WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
    AND a.xact_start < pg_catalog.clock_timestamp() - $1::pg_catalog.float8 * interval '1 second'
ORDER BY a.xact_start
