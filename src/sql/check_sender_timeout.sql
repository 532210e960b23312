-- sender-timeout: a receiver that is slow for this long is cut off. From 12 on our own connection sets it to 0.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.format('%s%s', s.setting, s.unit),
       'ALTER SYSTEM SET wal_sender_timeout = ''10min'';',
       CASE WHEN s.source = 'default' THEN 'ALTER SYSTEM RESET wal_sender_timeout;'
           ELSE pg_catalog.format('ALTER SYSTEM SET wal_sender_timeout = ''%s%s'';', s.setting, s.unit) END
FROM pg_catalog.pg_settings s
WHERE s.name = 'wal_sender_timeout' AND s.setting::pg_catalog.int8 BETWEEN 1 AND 29999
