-- Tables that an error stopped go on, from where they were left.
-- Parameters: none. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.tables SET stopped = NULL WHERE stopped IS NOT NULL
