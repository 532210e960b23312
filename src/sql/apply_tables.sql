-- The tables of the migration.
-- Parameters: none. Minimum version: 9.5. Rows: one a table.
SELECT t.source_oid, t.source_schema, t.source_table, t.target_schema, t.target_table, t.mode = 'sync',
       CASE WHEN t.loaded THEN t.epoch_lsn END, t.inserts, t.updates, t.deletes, t.truncates
  FROM pgcutover.tables t
