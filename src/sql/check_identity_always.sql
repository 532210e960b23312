-- identity-always: columns GENERATED ALWAYS AS IDENTITY.
-- Parameters: $1 oids of the picked tables. Minimum version: 10. Rows: item.
SELECT pg_catalog.format('%I.%I (%I)', n.nspname, c.relname, a.attname)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.attidentity = 'a'
ORDER BY n.nspname, c.relname
