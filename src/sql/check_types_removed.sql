-- bad-types: types that newer servers do not have, or that no column may have any more.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('%I.%I (%I %s)', n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, NULL)),
       pg_catalog.format('ALTER TABLE %I.%I ALTER COLUMN %I TYPE %s;', n.nspname, c.relname, a.attname,
           CASE pg_catalog.format_type(a.atttypid, NULL) WHEN 'abstime' THEN 'timestamptz' WHEN 'reltime' THEN 'interval' ELSE 'text' END)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE pg_catalog.format_type(a.atttypid, NULL) IN ('abstime', 'reltime', 'tinterval', 'unknown', 'opaque')
ORDER BY n.nspname, c.relname, a.attnum
