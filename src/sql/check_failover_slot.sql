-- failover-slot: standbys that may take the source's place; a logical slot does not go with them.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%s (%s)', coalesce(nullif(r.application_name, ''), 'process ' || r.pid), coalesce(r.state, 'state not shown to this role'))
FROM pg_catalog.pg_stat_replication r
WHERE coalesce(r.application_name, '') !~ '^pgcutover|^pg_basebackup|^pg_receivewal'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s
                    WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
ORDER BY r.pid
