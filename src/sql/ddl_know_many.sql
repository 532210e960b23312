-- Keeps the definitions from which schema changes are followed.
-- Parameters: $1 json, an array of definitions. Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.definitions (source_oid, definition)
SELECT (d.value ->> 'oid')::pg_catalog.oid, d.value::pg_catalog.text
FROM pg_catalog.json_array_elements($1::pg_catalog.json) d
ON CONFLICT (source_oid) DO UPDATE SET definition = excluded.definition
