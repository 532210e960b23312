-- The lanes that there have ever been.
-- Parameters: none. Minimum version: 9.5. Rows: one a lane.
SELECT p.lane FROM pgcutover.progress p ORDER BY p.lane
