-- rules: rewrite rules on tables.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I on %I.%I%s', r.rulename, n.nspname, c.relname,
           CASE r.ev_enabled WHEN 'A' THEN ' (ENABLE ALWAYS)' WHEN 'R' THEN ' (ENABLE REPLICA)' ELSE '' END)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
WHERE r.ev_enabled <> 'D'
ORDER BY n.nspname, c.relname, r.rulename
