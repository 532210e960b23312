-- The statement that brings a loaded table's statistics up to date. Rows that were copied in parts are not frozen.
-- Parameters: $1 source oid. Minimum version: 9.5. Rows: one: the statement.
SELECT pg_catalog.format(
    CASE WHEN EXISTS (SELECT FROM pgcutover.parts p WHERE p.source_oid = t.source_oid)
        THEN 'VACUUM (FREEZE, ANALYZE) %I.%I' ELSE 'ANALYZE %I.%I' END, target_schema, target_table)
FROM pgcutover.tables t WHERE source_oid = $1::pg_catalog.oid
