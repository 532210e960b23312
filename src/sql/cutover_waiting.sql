-- The sessions that wait for a table that sessions of ours hold.
-- Parameters: $1 application_name of the holders. Minimum version: 9.5. Rows: none where there is no holder; else pid and one line of
-- text for each session that waits, or one of nulls.
WITH holder AS (
    SELECT a.pid FROM pg_catalog.pg_stat_activity a
    WHERE a.application_name = $1 AND a.usename = SESSION_USER AND a.datname = pg_catalog.current_database()
), waiting AS (
    SELECT DISTINCT w.pid
    FROM pg_catalog.pg_locks w
    JOIN pg_catalog.pg_locks h ON h.relation = w.relation AND h.database = w.database AND h.granted
    JOIN holder ON holder.pid = h.pid
    WHERE w.locktype = 'relation' AND NOT w.granted
)
SELECT a.pid, pg_catalog.format('user %s, application "%s", address %s, pid %s', a.usename, a.application_name,
    coalesce(pg_catalog.host(a.client_addr), 'local'), a.pid)
FROM (SELECT DISTINCT 1 FROM holder) h
LEFT JOIN (waiting JOIN pg_catalog.pg_stat_activity a ON a.pid = waiting.pid) ON true
ORDER BY 1
