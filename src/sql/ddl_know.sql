-- Keeps a table's definition as the one that the target has by now.
-- Parameters: $1 source oid, $2 definition. Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.definitions (source_oid, definition) VALUES ($1::pg_catalog.oid, $2)
ON CONFLICT (source_oid) DO UPDATE SET definition = excluded.definition
