-- wal-level: not logical.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT s.setting,
       'ALTER SYSTEM SET wal_level = ''logical'';',
       pg_catalog.format('ALTER SYSTEM SET wal_level = %L;', s.setting)
FROM pg_catalog.pg_settings s
WHERE s.name = 'wal_level' AND s.setting <> 'logical'
