-- Parts that end at the same time do so one after another, so that one of them sees that it is the last.
-- Parameters: $1 source oid. Minimum version: 9.5. Rows: one.
SELECT FROM pgcutover.tables WHERE source_oid = $1 FOR UPDATE
