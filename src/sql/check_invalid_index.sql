-- invalid-index: indexes that a build left behind; pg_dump makes valid ones of them.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('%I.%I on %I', n.nspname, ic.relname, c.relname),
       pg_catalog.format('DROP INDEX %I.%I; -- or REINDEX INDEX %1$I.%2$I;', n.nspname, ic.relname)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = ic.relnamespace
WHERE ic.relkind = 'i' AND NOT (i.indisvalid AND i.indisready)
ORDER BY n.nspname, ic.relname
