-- idle-slots: slots that nobody reads, and the WAL they hold back.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('%I (%s) holds %s', s.slot_name, coalesce(s.plugin, 'physical'),
           coalesce(pg_catalog.pg_size_pretty(pg_catalog.pg_xlog_location_diff(
               CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_xlog_replay_location()
                   ELSE pg_catalog.pg_current_xlog_location() END, s.restart_lsn)), 'no WAL')),
       pg_catalog.format('SELECT pg_drop_replication_slot(%L); -- if it is not needed any more', s.slot_name)
FROM pg_catalog.pg_replication_slots s
WHERE NOT s.active AND s.slot_name !~ '^pgcutover'
ORDER BY s.slot_name
