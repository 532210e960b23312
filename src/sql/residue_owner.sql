-- Which migration the state schema belongs to.
-- Parameters: none. Minimum version: 9.5, with the state schema. Rows: one, the slot's name; none: it was being made.
SELECT m.slot_name FROM pgcutover.migration m
