-- trg-always: triggers that fire whatever session_replication_role says.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I on %I.%I (%s)', t.tgname, n.nspname, c.relname,
           CASE t.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')
ORDER BY n.nspname, c.relname, t.tgname
