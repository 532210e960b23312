-- What migrations leave on a server while they run, or when they are lost; either side.
-- Parameters: none. Minimum version: 9.5. Rows: as residue.sql.
SELECT 'slot', s.slot_name::text, s.slot_name::text, s.active, true,
       pg_catalog.format('SELECT pg_catalog.pg_drop_replication_slot(%L)', s.slot_name)
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_name ~ '^pgcutover'
UNION ALL
SELECT 'event trigger', t.evtname::text, pg_catalog.regexp_replace(t.evtname::text, '[dr]$', ''), false, true,
       pg_catalog.format('DROP EVENT TRIGGER %I', t.evtname)
FROM pg_catalog.pg_event_trigger t
WHERE t.evtname ~ '^pgcutover_'
UNION ALL
SELECT 'schema', n.nspname::text, nullif(n.nspname::text, 'pgcutover'), false, true,
       pg_catalog.format('DROP SCHEMA %I CASCADE', n.nspname)
FROM pg_catalog.pg_namespace n
WHERE n.nspname ~ '^pgcutover(_|$)'
UNION ALL
SELECT 'replication origin', o.roname, o.roname, false, true,
       pg_catalog.format('SELECT pg_catalog.pg_replication_origin_drop(%L)', o.roname)
FROM pg_catalog.pg_replication_origin o
WHERE o.roname ~ '^pgcutover'
UNION ALL
SELECT 'setting', pg_catalog.format('default_transaction_read_only of database %I', d.datname), d.datname::text, false, false,
       pg_catalog.format('ALTER DATABASE %I RESET default_transaction_read_only', d.datname)
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND s.setrole = 0
WHERE d.datname = pg_catalog.current_database() AND s.setconfig && '{default_transaction_read_only=on}'::text[]
UNION ALL
SELECT 'replica identity', pg_catalog.format('FULL of table %s', c.oid::pg_catalog.regclass), c.relname::text, false, false,
       pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', c.oid::pg_catalog.regclass)
FROM pg_catalog.pg_class c
WHERE c.relreplident = 'f' AND c.relkind IN ('r', 'p') AND c.oid >= 16384
ORDER BY 1, 2
