-- fk-notvalid: constraints that old rows need not fulfil; from 18 on, that none needs to.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I of %I.%I%s', k.conname, n.nspname, c.relname,
           CASE WHEN pg_catalog.to_jsonb(k) ->> 'conenforced' = 'false' THEN ' (NOT ENFORCED)' ELSE '' END)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid
WHERE k.contype IN ('f', 'c', 'n')
    AND (NOT k.convalidated OR pg_catalog.to_jsonb(k) ->> 'conenforced' = 'false')
ORDER BY n.nspname, c.relname, k.conname
