-- slot-wal-limit: the server may invalidate a slot that falls behind or rests.
-- Parameters: none. Minimum version: 13. Rows: item, fix, undo.
SELECT pg_catalog.format('%s is %s%s', s.name, s.setting, s.unit),
       pg_catalog.format('ALTER SYSTEM SET %s = %s;', s.name,
           CASE s.name WHEN 'max_slot_wal_keep_size' THEN '-1' ELSE '0' END),
       pg_catalog.format('ALTER SYSTEM SET %s = ''%s%s'';', s.name, s.setting, s.unit)
FROM pg_catalog.pg_settings s
WHERE (s.name = 'max_slot_wal_keep_size' AND s.setting <> '-1')
    OR (s.name = 'idle_replication_slot_timeout' AND s.setting <> '0')
