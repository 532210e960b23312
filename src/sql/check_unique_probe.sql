-- unique-probe: unique btree indexes of picked tables with text in their key, the smallest first.
-- Parameters: $1 oids of the picked tables. Minimum version: 10. Rows: oid, name.
SELECT i.indexrelid, pg_catalog.format('%I.%I', n.nspname, k.relname)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_index i ON i.indrelid = picked.oid AND i.indisunique AND i.indisvalid AND i.indisready
JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid AND k.relpersistence <> 't'
JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = k.relam AND m.amname = 'btree'
WHERE EXISTS (SELECT 1 FROM pg_catalog.unnest(i.indcollation::pg_catalog.oid[]) AS x(oid) WHERE x.oid <> 0)
ORDER BY k.relpages, 2
