-- The tables that the migration knows; one that was removed from it is known by its name too, should it have been made anew.
-- Parameters: none. Minimum version: 9.5. Rows: OID on the source, in order; schema and name there of one that was removed.
SELECT source_oid, CASE WHEN mode = 'removed' THEN source_schema END, CASE WHEN mode = 'removed' THEN source_table END
  FROM pgcutover.tables ORDER BY source_oid
