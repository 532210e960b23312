-- t-tuning: settings of the target that make the load and the apply slow.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
WITH settings AS (
    SELECT s.name, s.setting, s.unit,
           CASE WHEN s.source IN ('default') THEN pg_catalog.format('ALTER SYSTEM RESET %s;', s.name)
               ELSE pg_catalog.format('ALTER SYSTEM SET %s = %L;', s.name, pg_catalog.current_setting(s.name)) END AS undo
    FROM pg_catalog.pg_settings s
)
SELECT pg_catalog.format('max_wal_size is %s', pg_catalog.current_setting('max_wal_size')),
       'ALTER SYSTEM SET max_wal_size = ''16GB''; -- fewer checkpoints while loading', s.undo
FROM settings s
WHERE s.name = 'max_wal_size' AND s.setting::pg_catalog.int8 * CASE s.unit WHEN '16MB' THEN 16 ELSE 1 END < 4096
UNION ALL
SELECT pg_catalog.format('checkpoint_timeout is %s', pg_catalog.current_setting('checkpoint_timeout')),
       'ALTER SYSTEM SET checkpoint_timeout = ''15min'';', s.undo
FROM settings s
WHERE s.name = 'checkpoint_timeout' AND s.setting::pg_catalog.int8 < 300
UNION ALL
SELECT pg_catalog.format('temp_file_limit is %s', pg_catalog.current_setting('temp_file_limit')),
       'ALTER SYSTEM SET temp_file_limit = -1; -- builds of large indexes sort on disk', s.undo
FROM settings s
WHERE s.name = 'temp_file_limit' AND s.setting <> '-1'
UNION ALL
SELECT pg_catalog.format('synchronous_standby_names is %s', s.setting),
       'ALTER SYSTEM SET synchronous_standby_names = ''''; -- every commit waits for these', s.undo
FROM settings s
WHERE s.name = 'synchronous_standby_names' AND s.setting <> ''
UNION ALL
SELECT 'autovacuum is off', 'ALTER SYSTEM SET autovacuum = on;', s.undo
FROM settings s
WHERE s.name = 'autovacuum' AND s.setting = 'off'
