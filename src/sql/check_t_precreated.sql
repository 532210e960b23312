-- t-precreated: indexes of the target that serve no key: they are kept up to date row by row while tables are loaded.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%s on %I.%I', pg_catalog.count(*), n.nspname, c.relname)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relkind = 'r' AND c.oid >= 16384
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pgcutover')
WHERE NOT i.indisprimary AND NOT i.indisreplident
GROUP BY n.nspname, c.relname
ORDER BY pg_catalog.count(*) DESC, n.nspname, c.relname
