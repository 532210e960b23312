-- One replication slot. wal_status is read where it exists (from 13 on).
-- Parameters: $1 name. Minimum version: 10. Rows: one, or none.
SELECT s.active, s.active_pid, s.restart_lsn, s.confirmed_flush_lsn,
    pg_catalog.to_jsonb(s) ->> 'wal_status' AS wal_status,
    greatest(pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
        THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, s.restart_lsn), 0)
        ::pg_catalog.int8 AS retained_bytes,
    coalesce(a.application_name LIKE 'pgcutover:%', false) AS ours,
    pg_catalog.format('pid %s (user %s, application "%s")', s.active_pid, a.usename, a.application_name) AS holder
FROM pg_catalog.pg_replication_slots s
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
WHERE s.slot_name = $1
