-- The conflicts that were kept, the oldest first.
-- Parameters: none. Minimum version: 9.5. Rows: one a conflict, as JSON.
SELECT pg_catalog.row_to_json(x)
  FROM (SELECT t.source_schema AS schema, t.source_table AS "table", c.kind, c.key, c.row_values AS "values", c.resolution, c.sqlstate,
               c.message, c.commit_lsn AS "commitLsn", c.xid, c.occurred
          FROM pgcutover.conflicts c LEFT JOIN pgcutover.tables t USING (source_oid) ORDER BY c.id) x
