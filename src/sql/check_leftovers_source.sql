-- leftovers: what a migration makes on a source.
-- Parameters: none. Minimum version: 10. Rows: item, fix.
SELECT pg_catalog.format('slot %I%s', s.slot_name, CASE WHEN s.active THEN ' (in use)' ELSE '' END),
       pg_catalog.format('SELECT pg_drop_replication_slot(%L);', s.slot_name)
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_name ~ '^pgcutover' AND NOT s.temporary
UNION ALL
SELECT pg_catalog.format('publication %I', p.pubname), pg_catalog.format('DROP PUBLICATION %I;', p.pubname)
FROM pg_catalog.pg_publication p
WHERE p.pubname ~ '^pgcutover'
UNION ALL
SELECT pg_catalog.format('event trigger %I', t.evtname), pg_catalog.format('DROP EVENT TRIGGER %I;', t.evtname)
FROM pg_catalog.pg_event_trigger t
WHERE t.evtname ~ '^pgcutover_'
UNION ALL
SELECT pg_catalog.format('schema %I', n.nspname), pg_catalog.format('DROP SCHEMA %I CASCADE;', n.nspname)
FROM pg_catalog.pg_namespace n
WHERE n.nspname ~ '^pgcutover(_|$)'
