-- Records a copied part, in the transaction that copies it.
-- Parameters: $1 source oid, $2 part, $3 rows, $4 bytes. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.parts
SET copied = true, rows_loaded = $3, bytes_loaded = $4, started = pg_catalog.now()
WHERE source_oid = $1 AND part = $2
