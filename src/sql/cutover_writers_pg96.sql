-- Who is writing, or at work, in a database; of whom that may not be seen is told too.
-- Parameters: $1 database. Minimum version: 9.5. Rows: writes (boolean), one line of text.
SELECT a.backend_xid IS NOT NULL,
    CASE WHEN a.query = '<insufficient privilege>'
        THEN pg_catalog.format('pid %s, user %s, application "%s": what it does may not be seen by this role', a.pid, a.usename, a.application_name)
        ELSE pg_catalog.format('pid %s, user %s, application "%s", address %s, %s for %s%s: %s', a.pid, a.usename,
        a.application_name, coalesce(pg_catalog.host(a.client_addr), 'local'), a.state,
        pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.state_change)),
        CASE WHEN a.backend_xid IS NULL THEN '' ELSE ', has written' END, pg_catalog."left"(pg_catalog.regexp_replace(a.query, E'\\s+', ' ', 'g'), 120)) END
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = $1 AND a.pid <> pg_catalog.pg_backend_pid()
    AND (a.query = '<insufficient privilege>' OR a.backend_xid IS NOT NULL OR (a.client_port IS NOT NULL AND a.state <> 'idle'))
    AND NOT (a.application_name LIKE 'pgcutover:%' AND a.usename = SESSION_USER)
ORDER BY a.backend_xid IS NULL, a.xact_start
