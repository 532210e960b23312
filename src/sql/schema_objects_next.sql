-- The next objects of a phase that are not applied, in the dump's order.
-- Parameters: phase; position to go on behind; how many at most; a table whose own job asks, or null for all of the phase.
-- Minimum version: 9.5. Rows: dump_id, position, type, display name, depends, statement, object_oid,
-- is a constraint whose index is built, was edited.
SELECT o.dump_id, o.position, o.object_type,
       pg_catalog.concat_ws('.', o.object_schema, o.object_name),
       o.depends, o.statement, o.object_oid, o.state = 'built', o.original IS NOT NULL
FROM pgcutover.objects o
WHERE o.phase = $1
  AND o.position > $2::integer
  AND o.state IN ('pending', 'failed', 'built')
  AND ($4::oid IS NULL OR (o.table_oid = $4::oid AND o.by_table))
ORDER BY o.position
LIMIT $3::integer
