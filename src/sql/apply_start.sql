-- Makes a lane's progress row when there is none yet.
-- Parameters: $1 lane, $2 LSN where applying begins. Minimum version: 9.5. Rows: none.
INSERT INTO pgcutover.progress (lane, commit_lsn, end_lsn) VALUES ($1::int, $2::pg_lsn, $2::pg_lsn)
ON CONFLICT (lane) DO NOTHING
