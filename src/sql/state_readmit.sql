-- Tables that were removed from the migration are added again: as if they had never been there.
-- Parameters: $1 oid[] on the source. Minimum version: 9.5. Rows: none.
DELETE FROM pgcutover.tables WHERE source_oid = ANY ($1::pg_catalog.oid[]) AND mode = 'removed'
