-- A foreign key that is taken out of the target, as one that is held back.
-- Parameters: $1 its row of schema_foreign_key.sql as a JSON array, $2 the statements that put it back. Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.objects (dump_id, position, class_oid, object_oid, object_type, object_schema, object_name, phase, statement, key)
SELECT x.last + 1, x.last + 1, 0, 0, 'FK CONSTRAINT', k.key ->> 4, pg_catalog.concat(k.key ->> 5, ' ', k.key ->> 6), 'held-key',
       $2 || ';', k.key
FROM (SELECT $1::pg_catalog.json AS key) k
CROSS JOIN (SELECT coalesce(pg_catalog.max(greatest(o.dump_id, o.position)), 0) AS last FROM pgcutover.objects o) x
