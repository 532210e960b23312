-- Extensions that run jobs by themselves and are in this database, and how to see their jobs.
-- Parameters: none. Minimum version: 9.5. Rows: extension, a query of one line of text a job that is active.
SELECT k.extension, k.query
FROM (VALUES
    ('pg_cron', 'cron.job',
     'SELECT pg_catalog.format(''pg_cron job %s, user %s, at "%s": %s'', j.jobid, j.username, j.schedule, '
     'pg_catalog."left"(pg_catalog.regexp_replace(j.command, E''\\s+'', '' '', ''g''), 120)) FROM cron.job j '
     'WHERE j.active AND j.database = pg_catalog.current_database() ORDER BY j.jobid'),
    ('pgagent', 'pgagent.pga_job',
     'SELECT pg_catalog.format(''pgagent job %s "%s", next run %s'', j.jobid, j.jobname, j.jobnextrun) FROM pgagent.pga_job j '
     'WHERE j.jobenabled ORDER BY j.jobid'),
    ('timescaledb', 'timescaledb_information.jobs',
     'SELECT pg_catalog.format(''timescaledb job %s %s.%s, every %s'', j.job_id, j.proc_schema, j.proc_name, j.schedule_interval) '
     'FROM timescaledb_information.jobs j WHERE j.scheduled ORDER BY j.job_id'),
    ('pg_partman', 'partman.part_config',
     'SELECT pg_catalog.format(''pg_partman makes partitions of %s, %s'', j.parent_table, j.partition_interval) '
     'FROM partman.part_config j WHERE j.automatic_maintenance = ''on'' ORDER BY j.parent_table')
) AS k (extension, relation, query)
WHERE pg_catalog.to_regclass(k.relation) IS NOT NULL
ORDER BY 1
