-- What a logical slot of the current database has confirmed, and whether it still holds its WAL. 9.5 does not
-- tell the first: it is not before restart_lsn.
-- Parameters: $1 slot name. Minimum version: 9.5. Rows: one, none when there is no such slot.
-- wal_status (from 13) and confirmed_flush_lsn are read through JSON because older versions have no such columns.
SELECT coalesce(pg_catalog.to_jsonb(s) ->> 'confirmed_flush_lsn', s.restart_lsn::pg_catalog.text), pg_catalog.to_jsonb(s) ->> 'wal_status' AS wal_status
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_name = $1::name AND s.database = pg_catalog.current_database();
