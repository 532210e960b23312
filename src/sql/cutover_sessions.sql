-- Sessions of a database that may write and do not belong to the migration. Walsenders (they stream),
-- autovacuum and the servants of other backends are left out.
-- Parameters: $1 database, $2 timestamptz: those that began before (null: all).
-- Minimum version: 10. Rows: pid, backend_start (null: may not be seen), user, one line of text.
SELECT a.pid, a.backend_start, a.usename,
    pg_catalog.format('pid %s, user %s, application "%s", address %s, %s', a.pid, coalesce(a.usename, '?'),
        a.application_name, coalesce(pg_catalog.host(a.client_addr), 'local'), coalesce(a.state, a.backend_type, '?'))
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = $1 AND a.pid <> pg_catalog.pg_backend_pid()
    AND (a.backend_type IS NULL OR a.backend_type NOT IN ('walsender', 'autovacuum worker', 'autovacuum launcher',
        'parallel worker', 'logical replication launcher', 'slotsync worker') OR a.backend_xid IS NOT NULL)
    AND NOT (a.application_name LIKE 'pgcutover:%' AND a.usename = SESSION_USER)
    AND ($2::pg_catalog.timestamptz IS NULL OR a.backend_start IS NULL OR a.backend_start <= $2::pg_catalog.timestamptz)
ORDER BY a.backend_start
