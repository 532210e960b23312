-- generated-key: a generated column inside the key that identifies rows is not sent by the source.
-- Parameters: $1 oids of the picked tables. Minimum version: 12. Rows: item.
SELECT DISTINCT pg_catalog.format('%I.%I (%I)', n.nspname, c.relname, a.attname)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE ((i.indisprimary AND c.relreplident = 'd') OR i.indisreplident) AND a.attgenerated <> ''
ORDER BY 1
