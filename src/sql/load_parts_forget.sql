-- Before a table is emptied to be copied in parts: those of an earlier try are gone, and with them whoever still copies
-- one (each holds its row's lock until its transaction ends).
-- Parameters: $1 source oid. Minimum version: 9.5. Rows: none.
WITH parts AS (DELETE FROM pgcutover.parts WHERE source_oid = $1)
UPDATE pgcutover.tables SET loaded = false, indexed = false WHERE source_oid = $1 AND (loaded OR indexed)
