-- Ends sessions, unless another one has the pid by now.
-- Parameters: $1 int4[] pids, $2 timestamptz[] their backend_start. Minimum version: 9.5.
-- Rows: one for each that was there.
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_stat_activity a
JOIN (SELECT u.pid, u.since
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int4[]), pg_catalog.unnest($2::pg_catalog.timestamptz[]))
        AS u (pid, since)) x ON x.pid = a.pid AND x.since = a.backend_start
