-- The tables of the migration.
-- Parameters: none. Minimum version: 9.5. Rows: one a table.
SELECT t.source_oid, t.source_schema, t.source_table, t.target_schema, t.target_table, t.mode = 'sync',
       CASE WHEN t.loaded AND (t.indexed OR t.behind_lsn IS NULL) THEN t.epoch_lsn END, t.inserts, t.updates, t.deletes, t.truncates,
       t.behind_lsn, t.stopped, coalesce(c.conflicts, 0)
  FROM pgcutover.tables t
  LEFT JOIN (SELECT source_oid, pg_catalog.count(*) AS conflicts FROM pgcutover.conflicts
              GROUP BY source_oid) c ON c.source_oid = t.source_oid
