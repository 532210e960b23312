-- The tables that were removed from the migration, by their names on the target.
-- Parameters: none. Minimum version: 9.5. Rows: one a table: its schema, its name.
SELECT target_schema, target_table FROM pgcutover.tables WHERE mode = 'removed' ORDER BY 1, 2
