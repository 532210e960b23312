-- ddl-freeze: sessions that hold or wait for a lock on a relation of the database that nothing but a change of its definition,
-- or an emptying, takes; our own left out.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I.%I by process %s of %s (%s)%s', n.nspname, c.relname, l.pid, coalesce(a.usename, '?'),
           coalesce(nullif(a.application_name, ''), 'no name'), CASE WHEN l.granted THEN '' ELSE ', which waits' END)
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm', 'v', 'S')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    AND n.nspname !~ '^(pg_|pgcutover)' AND n.nspname <> 'information_schema'
    AND l.pid <> pg_catalog.pg_backend_pid() AND coalesce(a.application_name, '') !~ '^pgcutover:'
    AND coalesce(a.query, '') !~* '^\s*(autovacuum:|vacuum)'
ORDER BY n.nspname, c.relname
