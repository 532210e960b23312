-- Moves the place of a lane beside lane 0, with its part of a group.
-- Parameters: $1 lane, $2 commit LSN, $3 end LSN, $4 over how many lanes the group is spread, $5 source oids of
-- the tables that go to one lane each. Minimum version: 9.5. Rows: none, one updated unless it was there already.
UPDATE pgcutover.progress p
   SET commit_lsn = $2::pg_lsn, end_lsn = $3::pg_lsn, lanes = $4::int, ordered = $5::oid[]
 WHERE p.lane = $1::int AND p.end_lsn < $3::pg_lsn
