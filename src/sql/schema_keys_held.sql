-- The foreign keys that are added when the target is opened.
-- Parameters: none. Minimum version: 9.5. Rows: dump_id, OID on the source (0: one that the target had), name for people.
SELECT o.dump_id, o.object_oid, pg_catalog.concat_ws('.', o.object_schema, o.object_name)
FROM pgcutover.objects o
WHERE o.phase = 'held-key' AND o.object_type = 'FK CONSTRAINT' AND o.state IN ('pending', 'failed')
ORDER BY o.position
