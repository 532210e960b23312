-- Lanes that committed their part of a group when lane 0 did not: only the last group can be such a one.
-- Parameters: none. Minimum version: 9.5. Rows: one a lane: lane, the group's end LSN, over how many lanes
-- it was spread, source oids of the tables that went to one lane each.
SELECT p.lane, p.end_lsn, p.lanes, p.ordered
  FROM pgcutover.progress p
 WHERE p.lane > 0 AND p.end_lsn > (SELECT m.end_lsn FROM pgcutover.progress m WHERE m.lane = 0)
