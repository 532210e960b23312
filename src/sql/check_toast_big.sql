-- toast-big: tables with more than 10 GB of large values, by the pages that the last vacuum counted or the file has.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I.%I (%s)', n.nspname, c.relname, pg_catalog.pg_size_pretty(t.relpages::pg_catalog.int8
           * pg_catalog.current_setting('block_size')::pg_catalog.int8))
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
WHERE t.relpages::pg_catalog.int8 * pg_catalog.current_setting('block_size')::pg_catalog.int8 > 10737418240
ORDER BY t.relpages DESC
