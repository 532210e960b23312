-- enum-list: the labels of all enums, in their order.
-- Parameters: none. Minimum version: 9.5. Rows: name, labels.
SELECT pg_catalog.format('%I.%I', n.nspname, t.typname),
       pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
FROM pg_catalog.pg_enum e
JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
GROUP BY n.nspname, t.typname
ORDER BY n.nspname, t.typname
