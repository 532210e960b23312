-- The labels of all enums, in their order.
-- Parameters: none. Minimum version: 9.5. Rows: type, quoted as SQL has it, and label.
SELECT pg_catalog.format('%I.%I', n.nspname, t.typname), e.enumlabel
FROM pg_catalog.pg_enum e
JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
ORDER BY pg_catalog.format('%I.%I', n.nspname, t.typname)::pg_catalog.text COLLATE "C", e.enumsortorder
