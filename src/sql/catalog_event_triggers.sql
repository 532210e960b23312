-- The event triggers that can fire, but for those of a migration.
-- Parameters: none. Minimum version: 9.5. Rows: name, event.
SELECT t.evtname, t.evtevent
FROM pg_catalog.pg_event_trigger t
WHERE t.evtenabled <> 'D' AND t.evtname !~ '^pgcutover_'
ORDER BY t.evtname
