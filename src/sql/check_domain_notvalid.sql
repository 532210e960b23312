-- domain-notvalid: COPY into a domain looks at the constraint for every row, the old ones too.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item, fix.
SELECT DISTINCT pg_catalog.format('%I of %I.%I', k.conname, n.nspname, t.typname),
       pg_catalog.format('ALTER DOMAIN %I.%I VALIDATE CONSTRAINT %I; -- names the first row that is in its way',
           n.nspname, t.typname, k.conname)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_type t ON t.oid = k.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_attribute a ON a.atttypid IN (t.oid, t.typarray) AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid) ON picked.oid = a.attrelid
WHERE NOT k.convalidated
ORDER BY 1
