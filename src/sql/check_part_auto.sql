-- part-auto: extensions that make tables, or run jobs, by themselves.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I %s', e.extname, e.extversion)
FROM pg_catalog.pg_extension e
WHERE e.extname IN ('pg_partman', 'timescaledb', 'citus', 'pg_cron', 'pgagent', 'pglogical')
ORDER BY e.extname
