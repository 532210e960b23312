-- Settings of a session that builds indexes: half of the shared buffers may be sorted in by all of them together,
-- but no session gets less than the server's own setting, or more than 1 GB; and the parallel workers that the
-- server has are shared.
-- Parameters: $1 how many such sessions. Minimum version: 9.5 (parallel builds from 11 on). Rows: one a setting.
SELECT s.name, pg_catalog.set_config(s.name, CASE s.name
    WHEN 'maintenance_work_mem' THEN greatest(s.setting::pg_catalog.int8, least(1048576,
        (SELECT b.setting::pg_catalog.int8 * 8 FROM pg_catalog.pg_settings b WHERE b.name = 'shared_buffers')
            / 2 / $1::pg_catalog.int8)) || 'kB'
    ELSE least(s.setting::pg_catalog.int8,
        (SELECT w.setting::pg_catalog.int8 FROM pg_catalog.pg_settings w WHERE w.name = 'max_parallel_workers')
            / $1::pg_catalog.int8)::pg_catalog.text
    END, false)
FROM pg_catalog.pg_settings s
WHERE s.name IN ('maintenance_work_mem', 'max_parallel_maintenance_workers')
