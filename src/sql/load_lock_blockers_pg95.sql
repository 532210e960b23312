-- Who holds locks on these relations.
-- Parameters: $1 text[] of quoted names, $2 boolean: any lock counts (else those that conflict with
-- SHARE UPDATE EXCLUSIVE). Minimum version: 9.5. Rows: one line of text a holder.
SELECT DISTINCT pg_catalog.format('%s holds %s on %s: %s',
    CASE WHEN l.pid IS NULL THEN 'a prepared transaction'
        ELSE pg_catalog.format('pid %s (user %s, application "%s", %s)', l.pid, a.usename,
            a.application_name, a.state) END,
    l.mode, l.relation::pg_catalog.regclass,
    coalesce(pg_catalog."left"(a.query, 200), '?'))
FROM pg_catalog.pg_locks l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    AND l.relation IN (SELECT pg_catalog.to_regclass(t.name::pg_catalog.cstring) FROM pg_catalog.unnest($1::pg_catalog.text[]) AS t (name))
    AND ($2::pg_catalog.bool OR l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))
LIMIT 10
