-- snapshot-old: a snapshot older than this may fail. The setting is gone in 17.
-- Parameters: none. Minimum version: 9.6. Rows: item, fix, undo.
SELECT pg_catalog.format('%s%s', s.setting, s.unit),
       'ALTER SYSTEM SET old_snapshot_threshold = -1;',
       pg_catalog.format('ALTER SYSTEM SET old_snapshot_threshold = ''%s%s'';', s.setting, s.unit)
FROM pg_catalog.pg_settings s
WHERE s.name = 'old_snapshot_threshold' AND s.setting <> '-1'
