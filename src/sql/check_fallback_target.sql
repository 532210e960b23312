-- fallback-ready: what the target lacks to be the source of the way back.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT 'wal_level is ' || s.setting, 'ALTER SYSTEM SET wal_level = ''logical'';', pg_catalog.format('ALTER SYSTEM SET wal_level = %L;', s.setting)
FROM pg_catalog.pg_settings s
WHERE s.name = 'wal_level' AND s.setting <> 'logical'
UNION ALL
SELECT 'max_replication_slots is ' || m.slots || ' and all are taken',
       pg_catalog.format('ALTER SYSTEM SET max_replication_slots = %s;', m.slots + 5),
       pg_catalog.format('ALTER SYSTEM SET max_replication_slots = %s;', m.slots)
FROM (SELECT pg_catalog.current_setting('max_replication_slots')::pg_catalog.int4 AS slots) m
WHERE (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots) >= m.slots
UNION ALL
SELECT 'max_wal_senders is ' || m.senders || ' and fewer than two are free',
       pg_catalog.format('ALTER SYSTEM SET max_wal_senders = %s;', m.senders + 5),
       pg_catalog.format('ALTER SYSTEM SET max_wal_senders = %s;', m.senders)
FROM (SELECT pg_catalog.current_setting('max_wal_senders')::pg_catalog.int4 AS senders) m
WHERE (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication) > m.senders - 2
