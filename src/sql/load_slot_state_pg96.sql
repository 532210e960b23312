-- One replication slot. 9.5 does not say what a slot has confirmed.
-- Parameters: $1 name. Minimum version: 9.5. Rows: one, or none.
SELECT s.active, s.active_pid, s.restart_lsn, (pg_catalog.to_jsonb(s) ->> 'confirmed_flush_lsn')::pg_catalog.pg_lsn,
    NULL::pg_catalog.text AS wal_status,
    greatest(pg_catalog.pg_xlog_location_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
        THEN pg_catalog.pg_last_xlog_replay_location() ELSE pg_catalog.pg_current_xlog_location() END, s.restart_lsn), 0)
        ::pg_catalog.int8 AS retained_bytes,
    coalesce(a.application_name LIKE 'pgcutover:%', false) AS ours,
    pg_catalog.format('pid %s (user %s, application "%s")', s.active_pid, a.usename, a.application_name) AS holder
FROM pg_catalog.pg_replication_slots s
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
WHERE s.slot_name = $1
