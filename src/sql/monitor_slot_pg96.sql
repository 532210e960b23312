-- How the slot's stream stands, beyond its position; what servers before 10 do not know is null.
-- Parameters: $1 slot name. Minimum version: 9.5. Rows: one, none when there is no such slot.
SELECT NULL::bigint, r.sent_location, r.pid, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint
  FROM pg_catalog.pg_replication_slots s
  LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
 WHERE s.slot_name = $1::pg_catalog.name
