-- The event triggers that can fire.
-- Parameters: none. Minimum version: 10. Rows: name, event.
SELECT t.evtname, t.evtevent
FROM pg_catalog.pg_event_trigger t
WHERE t.evtenabled <> 'D'
ORDER BY t.evtname
