-- Takes a part, at the beginning of the transaction that copies it: waits for whoever has it.
-- Parameters: $1 source oid, $2 part, $3 snapshot. Minimum version: 9.5. Rows: one, none when the table is not copied
-- under this snapshot any more: condition, copied, rows, bytes.
SELECT condition, copied, rows_loaded, bytes_loaded
FROM pgcutover.parts
WHERE source_oid = $1 AND part = $2 AND snapshot = $3
FOR UPDATE
