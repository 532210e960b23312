-- The tables outside of the stream, as the target's state has them.
-- Parameters: none. Minimum version: 9.5, with the state schema. Rows: oid, schema and name on the source, schema and name on
-- the target, row filter, columns as a text[] literal, rows.
SELECT t.source_oid, t.source_schema, t.source_table, t.target_schema, t.target_table, t.row_filter, t.columns, t.rows_loaded
FROM pgcutover.tables t
WHERE t.mode = 'at-cutover'
