-- What a migration may leave behind on a server, whichever side it was.
-- No parameters, PostgreSQL 10 and later. Rows: one text each; none: nothing is left.
SELECT pg_catalog.format('replication slot %I', slot_name) FROM pg_catalog.pg_replication_slots
UNION ALL
SELECT pg_catalog.format('publication %I', pubname) FROM pg_catalog.pg_publication
UNION ALL
SELECT pg_catalog.format('subscription %I', subname) FROM pg_catalog.pg_subscription
UNION ALL
SELECT pg_catalog.format('replication origin %I', roname) FROM pg_catalog.pg_replication_origin
UNION ALL
SELECT 'schema pgcutover' FROM pg_catalog.pg_namespace WHERE nspname = 'pgcutover'
UNION ALL
SELECT pg_catalog.format('replica identity %s of table %s', relreplident, oid::pg_catalog.regclass)
FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND relreplident <> 'd' AND oid >= 16384
UNION ALL
SELECT pg_catalog.format('setting %s of %s', x.setting, coalesce('database ' || d.datname, 'role ' || s.setrole::pg_catalog.regrole::text))
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS x (setting)
UNION ALL
SELECT pg_catalog.format('event trigger %I', evtname) FROM pg_catalog.pg_event_trigger
UNION ALL
SELECT pg_catalog.format('prepared transaction %s', gid) FROM pg_catalog.pg_prepared_xacts
UNION ALL
SELECT pg_catalog.format('session %s (%s)', pid, application_name) FROM pg_catalog.pg_stat_activity
WHERE pid <> pg_catalog.pg_backend_pid() AND backend_type IN ('client backend', 'walsender')
