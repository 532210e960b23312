-- Is there a table of conflicts?
-- Parameters: none. Minimum version: 9.5. Rows: one, boolean.
SELECT pg_catalog.to_regclass('pgcutover.conflicts') IS NOT NULL
