-- What the slot keeps and how its stream stands, beyond its position. Bytes that the stream spilled to the source's
-- disk and the transactions that did are totals of the slot.
-- Parameters: $1 slot name. Minimum version: 14. Rows: one, none when there is no such slot.
SELECT s.safe_wal_size, r.sent_lsn, r.pid, t.spill_txns, t.spill_bytes, t.stream_txns, t.stream_bytes
  FROM pg_catalog.pg_replication_slots s
  LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
  LEFT JOIN pg_catalog.pg_stat_replication_slots t ON t.slot_name = s.slot_name
 WHERE s.slot_name = $1::pg_catalog.name
