-- A session of our applier that waits for a lock of the target, and who holds it.
-- Parameters: none. Minimum version: 9.6. Rows: one or none.
SELECT w.pid, h.pid, coalesce(h.usename::text, '?'), coalesce(h.application_name, ''), coalesce(h.state, ''),
       (extract(epoch FROM pg_catalog.clock_timestamp() - h.xact_start) * 1000000)::bigint,
       pg_catalog."left"(pg_catalog.regexp_replace(coalesce(h.query, ''), '\s+', ' ', 'g'), 80)
  FROM pg_catalog.pg_stat_activity w
  CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
  JOIN pg_catalog.pg_stat_activity h ON h.pid = b.pid
 WHERE w.application_name = 'pgcutover:apply' AND w.datname = pg_catalog.current_database()
   AND w.wait_event_type = 'Lock' AND h.application_name <> 'pgcutover:apply'
 ORDER BY h.xact_start
 LIMIT 1
