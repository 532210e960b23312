-- What the own jobs of these tables have to apply, in the dump's order; and how each table is analyzed.
-- Parameters: $1 tables oid[] on the source. Minimum version: 9.5. Rows: dump_id, statement, is a
-- constraint whose index is built; last those with a null dump_id, whose statement analyzes a table.
SELECT o.dump_id, o.statement, o.built
FROM (
    SELECT o.dump_id, o.statement, o.state = 'built' AS built, 0 AS last, o.position
    FROM pgcutover.objects o
    WHERE o.table_oid = ANY ($1::pg_catalog.oid[]) AND o.by_table AND o.phase = 'index' 
        AND o.state IN ('pending', 'failed', 'built')
    UNION ALL
    SELECT NULL, pg_catalog.format('ANALYZE %I.%I;', t.target_schema, t.target_table), false, 1, 0
    FROM pgcutover.tables t
    WHERE t.source_oid = ANY ($1::pg_catalog.oid[])
) o
ORDER BY o.last, o.position
