-- Writes something, so that its commit makes all that was committed before durable.
-- Parameters: none. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.progress SET end_lsn = end_lsn WHERE lane = 0
