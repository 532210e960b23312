-- When the target's server was started, as of before the comparison: unlogged tables are empty after a crash.
-- Parameters: none. Minimum version: 9.5, with the state schema. Rows: none.
UPDATE pgcutover.migration SET server_started = pg_catalog.pg_postmaster_start_time()
