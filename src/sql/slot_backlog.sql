-- How far a logical slot is behind its server, and whether this role may read it by SQL functions.
-- Parameters: $1 slot name. Minimum version: 11. Rows: one, none when there is no such slot.
SELECT s.confirmed_flush_lsn, s.restart_lsn,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_flush_lsn() END AS wal_lsn,
       (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint AS now_us,
       pg_catalog.has_function_privilege('pg_catalog.pg_logical_slot_peek_binary_changes(name, pg_lsn, integer, text[])', 'EXECUTE')
       AND pg_catalog.has_function_privilege('pg_catalog.pg_replication_slot_advance(name, pg_lsn)', 'EXECUTE') AS allowed
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_name = $1::name;
