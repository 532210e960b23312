-- The definitions that tables of the source had when they were last looked at, and where each goes.
-- Parameters: $1 oid: those behind it. Minimum version: 9.5. Rows: at most 200, by oid: source oid, definition (null: none is kept),
-- schema and name on the target, are its columns listed by the plan, is it stopped, oid on the target (null: it is not there).
SELECT t.source_oid, d.definition, t.target_schema, t.target_table, t.columns IS NOT NULL, t.stopped IS NOT NULL, c.oid
  FROM pgcutover.tables t
  LEFT JOIN pgcutover.definitions d ON d.source_oid = t.source_oid
  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.target_schema
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.target_table
 WHERE t.mode = 'sync' AND t.loaded AND t.source_oid > $1::pg_catalog.oid
 ORDER BY t.source_oid
 LIMIT 200
