-- Stores the operator's own statements as the last object of the schema; ones that were not applied yet get the new text.
-- Parameters: $1 text. Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.objects AS o (dump_id, position, class_oid, object_oid, object_type, object_name, phase, statement)
SELECT coalesce(pg_catalog.max(greatest(x.dump_id, x.position)), 0) + 1, coalesce(pg_catalog.max(greatest(x.dump_id, x.position)), 0) + 1,
       0, 0, 'SQL', 'schema.afterSchemaSql', 'after', $1
FROM pgcutover.objects x
HAVING pg_catalog.count(CASE WHEN x.phase = 'after' THEN 1 END) = 0
