-- Sessions of a database that may write and do not belong to the migration. Walsenders (they stream),
-- autovacuum and the servants of other backends are left out: they have
-- no client.
-- Parameters: $1 database, $2 timestamptz: those that began before (null: all).
-- Minimum version: 9.5. Rows: pid, backend_start (null: may not be seen), user, one line of text.
SELECT a.pid, a.backend_start, a.usename,
    pg_catalog.format('pid %s, user %s, application "%s", address %s, %s', a.pid, coalesce(a.usename, '?'),
        a.application_name, coalesce(pg_catalog.host(a.client_addr), 'local'), coalesce(a.state, '?'))
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = $1 AND a.pid <> pg_catalog.pg_backend_pid()
    AND (a.backend_xid IS NOT NULL OR (
        NOT EXISTS (SELECT FROM pg_catalog.pg_stat_get_wal_senders() w WHERE w.pid = a.pid)
        AND (a.client_port IS NOT NULL OR a.backend_start IS NULL)))
    AND NOT (a.application_name LIKE 'pgcutover:%' AND a.usename = SESSION_USER)
    AND ($2::pg_catalog.timestamptz IS NULL OR a.backend_start IS NULL OR a.backend_start <= $2::pg_catalog.timestamptz)
ORDER BY a.backend_start
