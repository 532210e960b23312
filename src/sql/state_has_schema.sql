-- Is there a state schema of any migration?
-- Parameters: none. Minimum version: 9.5. Rows: one, boolean.
SELECT pg_catalog.to_regclass('pgcutover.migration') IS NOT NULL;
