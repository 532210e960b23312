-- Ends the WAL sender that holds a slot for a receiver that is gone: nothing was heard of it for a minute, while
-- a receiver that lives reports every second. A server learns of a connection that was lost without a word only
-- after many minutes when it has sent something that nobody acknowledges. Parameters: $1 slot name. Minimum
-- version: 12 (reply_time; before, the server's own wal_sender_timeout ends it). Rows: one for each that was ended.
SELECT a.pid, pg_catalog.pg_terminate_backend(a.pid) AS ended
FROM pg_catalog.pg_replication_slots s
JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
JOIN pg_catalog.pg_stat_replication r ON r.pid = a.pid
WHERE s.slot_name = $1::name AND a.usename = CURRENT_USER AND a.application_name = 'pgcutover:receive'
  AND coalesce(r.reply_time, a.backend_start) < pg_catalog.clock_timestamp() - interval '1 minute';
