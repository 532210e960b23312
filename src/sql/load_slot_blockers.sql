-- What the creation of a slot waits for: writing transactions of any database, prepared ones too.
-- Parameters: none. Minimum version: 9.5. Rows: one line of text each, oldest first.
SELECT x.line
FROM (
    SELECT a.xact_start AS since,
        pg_catalog.format('pid %s, user %s, database %s, open for %s, %s: %s', a.pid, a.usename, a.datname,
            pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start), a.state,
            pg_catalog."left"(a.query, 200)) AS line
    FROM pg_catalog.pg_stat_activity a
    WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
    UNION ALL
    SELECT p.prepared,
        pg_catalog.format('prepared transaction "%s", user %s, database %s, prepared %s ago', p.gid, p.owner,
            p.database, pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - p.prepared))
    FROM pg_catalog.pg_prepared_xacts p
) x
ORDER BY x.since
