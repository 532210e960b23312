-- A table leaves the stream: it is copied at the cutover, or it is gone.
-- Parameters: $1 source oid, $2 mode. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.tables SET mode = $2 WHERE source_oid = $1::pg_catalog.oid
