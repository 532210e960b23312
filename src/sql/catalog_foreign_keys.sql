-- The foreign keys, those that partitions inherit and those towards partitions among them.
-- Parameters: none. Minimum version: 9.5. Rows: name, oid of the table, oid of the referenced table.
SELECT k.conname, k.conrelid, k.confrelid
FROM pg_catalog.pg_constraint k
WHERE k.contype = 'f'
ORDER BY k.conrelid, k.conname
