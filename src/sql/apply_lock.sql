-- Tries to take the lock that one lane's applier holds as long as its session lives.
-- Parameters: $1 migration id, $2 lane. Minimum version: 9.5. Rows: one: taken; else who holds it.
SELECT l.taken,
       (SELECT pg_catalog.format('pid %s (%s, connected since %s)', a.pid, a.application_name, a.backend_start)
          FROM pg_catalog.pg_locks k JOIN pg_catalog.pg_stat_activity a ON a.pid = k.pid
         WHERE NOT l.taken AND k.locktype = 'advisory' AND k.granted AND k.objsubid = 2
           AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d
                              WHERE d.datname = pg_catalog.current_database())
           AND k.classid::bigint = (pg_catalog.hashtext('pgcutover ' || $1)::bigint & 4294967295)
           AND k.objid::bigint = $2::int
         LIMIT 1)
  FROM (SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('pgcutover ' || $1), $2::int) AS taken
        OFFSET 0) l
