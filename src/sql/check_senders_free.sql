-- senders-free: fewer than two WAL senders are left: one for the stream, one for a table's epoch.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.format('max_wal_senders is %s and %s are in use', m.senders, pg_catalog.count(s.pid)),
       pg_catalog.format('ALTER SYSTEM SET max_wal_senders = %s;', m.senders + 5),
       pg_catalog.format('ALTER SYSTEM SET max_wal_senders = %s;', m.senders)
FROM (SELECT pg_catalog.current_setting('max_wal_senders')::pg_catalog.int4 AS senders) m
LEFT JOIN pg_catalog.pg_stat_replication s ON true
GROUP BY m.senders
HAVING m.senders - pg_catalog.count(s.pid) < 2
