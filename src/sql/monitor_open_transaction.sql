-- The writing transaction of this database that has been open for the longest, but for our own: none of its
-- changes is sent before it ends (from 14 on large ones are sent earlier, and still applied only then).
-- Parameters: none. Minimum version: 9.5. Rows: one or none.
SELECT a.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, ''),
       (extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000000)::bigint,
       coalesce(a.state, ''), pg_catalog."left"(pg_catalog.regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 80)
  FROM pg_catalog.pg_stat_activity a
 WHERE a.backend_xid IS NOT NULL AND a.datname = pg_catalog.current_database()
   AND a.pid <> pg_catalog.pg_backend_pid() AND a.application_name NOT LIKE 'pgcutover:%'
 ORDER BY a.xact_start
 LIMIT 1
