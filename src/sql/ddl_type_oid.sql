-- A type of that name: an enum, a domain, a composite.
-- Parameters: $1 schema, $2 name. Minimum version: 9.5. Rows: one, or none: oid.
SELECT y.oid FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
WHERE n.nspname = $1 AND y.typname = $2
