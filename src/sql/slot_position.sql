-- What a logical slot of the current database has confirmed, and whether it still holds its WAL.
-- Parameters: $1 slot name. Minimum version: 9.6. Rows: one, none when there is no such slot.
-- wal_status (from 13) is read through JSON because older versions have no such column.
SELECT s.confirmed_flush_lsn, pg_catalog.to_jsonb(s) ->> 'wal_status' AS wal_status
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_name = $1::name AND s.database = pg_catalog.current_database();
