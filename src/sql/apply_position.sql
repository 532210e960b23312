-- Where the applier stands: lane 0 commits last, so its place is that of all.
-- Parameters: none. Minimum version: 9.5. Rows: one or none: end LSN, commit time in microseconds
-- since 1970 (null at the start).
SELECT p.end_lsn,
       (EXTRACT(EPOCH FROM pg_catalog.date_trunc('second', p.commit_time))::bigint * 1000000
        + EXTRACT(MICROSECONDS FROM p.commit_time)::bigint % 1000000)::bigint
  FROM pgcutover.progress p WHERE p.lane = 0
