-- t-writers, k-writers: sessions of others in this database, by who they are.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%s of %s%s from %s', pg_catalog.count(*), coalesce(a.usename, 'nobody'),
           CASE WHEN a.application_name <> '' THEN ' (' || a.application_name || ')' ELSE '' END,
           coalesce(pg_catalog.host(a.client_addr), 'the server''s host'))
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
    AND coalesce(a.application_name, '') !~ '^pgcutover'
    AND coalesce(pg_catalog.to_jsonb(a) ->> 'backend_type', 'client backend') = 'client backend'
    AND coalesce(a.query, '') !~ '^autovacuum:'
GROUP BY a.usename, a.application_name, a.client_addr
ORDER BY pg_catalog.count(*) DESC, 1
