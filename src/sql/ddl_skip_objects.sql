-- What was held back for later and is not wanted any more: objects of a table that is gone, or one by its name.
-- Parameters: $1 source oid of the table, or null; $2 schema and $3 name of another object, or nulls.
-- Minimum version: 9.5. Rows: none.
UPDATE pgcutover.objects SET state = 'skipped', message = 'dropped on the source'
WHERE state = 'pending' AND (table_oid = $1::pg_catalog.oid OR (object_schema = $2 AND object_name = $3))
