-- The next index or key of a table that nobody builds yet, taken until the transaction's end.
-- Parameters: $1 table's oid on the source, $2 position to go on behind. Minimum version: 9.5.
-- Rows: dump_id, position, type, display name, statement; one or none.
SELECT o.dump_id, o.position, o.object_type, pg_catalog.concat_ws('.', o.object_schema, o.object_name),
       o.statement
FROM pgcutover.objects o
WHERE o.table_oid = $1::pg_catalog.oid AND o.by_table AND o.phase = 'index'
  AND o.object_type IN ('INDEX', 'CONSTRAINT') AND o.state IN ('pending', 'failed')
  AND o.position > $2::pg_catalog.int4
ORDER BY o.position
LIMIT 1
FOR UPDATE SKIP LOCKED
