-- Does a table still have the storage that this transaction's snapshot knows? A table that was rewritten
-- (ALTER TABLE ... TYPE) or truncated since looks empty to the snapshot, without an error.
-- Catalog rows are read by the snapshot; the two functions see the present.
-- Parameters: $1 oid, $2 quoted name. Minimum version: 9.6. Rows: one, or none if the snapshot has no such table.
SELECT pg_catalog.to_regclass($2) IS NOT DISTINCT FROM c.oid::pg_catalog.regclass AS same_name,
    c.relfilenode = 0 OR c.relfilenode IS NOT DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid) AS same_storage
FROM pg_catalog.pg_class c
WHERE c.oid = $1::pg_catalog.oid
