-- Where the source's WAL ends, and what the slot keeps.
-- Parameters: $1 slot name. Minimum version: 9.5. Rows: one.
SELECT pg_catalog.pg_current_xlog_insert_location(), NULL::text,
       coalesce(pg_catalog.pg_xlog_location_diff(pg_catalog.pg_current_xlog_location(), s.restart_lsn), 0)::bigint
FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = $1;
