-- A table has another name now.
-- Parameters: $1 source oid, source's $2 schema and $3 name, target's $4 schema and $5 name.
-- Minimum version: 9.5. Rows: none.
UPDATE pgcutover.tables SET source_schema = $2, source_table = $3, target_schema = $4, target_table = $5
WHERE source_oid = $1::pg_catalog.oid
