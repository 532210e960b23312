-- slots-free: no replication slot is left.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.format('max_replication_slots is %s and all are taken (%s)', m.slots,
           coalesce(pg_catalog.string_agg(s.slot_name || CASE WHEN s.active THEN '' ELSE ' idle' END, ', '
                                          ORDER BY s.slot_name), 'none can be made')),
       pg_catalog.format('ALTER SYSTEM SET max_replication_slots = %s;', m.slots + 5),
       pg_catalog.format('ALTER SYSTEM SET max_replication_slots = %s;', m.slots)
FROM (SELECT pg_catalog.current_setting('max_replication_slots')::pg_catalog.int4 AS slots) m
LEFT JOIN pg_catalog.pg_replication_slots s ON true
GROUP BY m.slots
HAVING m.slots - pg_catalog.count(s.slot_name) < 1
