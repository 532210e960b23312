-- Was the target's server started again since cutover_note_start.sql?
-- Parameters: none. Minimum version: 9.5, with the state schema. Rows: one, boolean.
SELECT m.server_started IS DISTINCT FROM pg_catalog.pg_postmaster_start_time() FROM pgcutover.migration m
