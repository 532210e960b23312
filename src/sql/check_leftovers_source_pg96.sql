-- leftovers: what a migration makes on a source.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('slot %I%s', s.slot_name, CASE WHEN s.active THEN ' (in use)' ELSE '' END),
       pg_catalog.format('SELECT pg_drop_replication_slot(%L);', s.slot_name)
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_name ~ '^pgcutover'
UNION ALL
SELECT 'schema pgcutover', 'DROP SCHEMA pgcutover CASCADE;'
FROM pg_catalog.pg_namespace n
WHERE n.nspname = 'pgcutover'
