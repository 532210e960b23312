-- Where the source's WAL ends, and what the slot keeps.
-- Parameters: $1 slot name. Minimum version: 10. Rows: one.
SELECT pg_catalog.pg_current_wal_insert_lsn(), NULL::text,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn), 0)::bigint
FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = $1;
