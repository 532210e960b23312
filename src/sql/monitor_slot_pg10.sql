-- What the slot keeps and how its stream stands, beyond its position; what 10 to 12 do not know is null.
-- Parameters: $1 slot name. Minimum version: 10. Rows: one, none when there is no such slot.
SELECT (pg_catalog.to_jsonb(s) ->> 'safe_wal_size')::bigint, r.sent_lsn, r.pid, NULL::bigint, NULL::bigint,
       NULL::bigint, NULL::bigint
  FROM pg_catalog.pg_replication_slots s
  LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
 WHERE s.slot_name = $1::pg_catalog.name
