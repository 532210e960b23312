-- A constraint or index that is held back gets the text that makes it as it is on the source now.
-- Parameters: $1 its oid on the source, $2 statement. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.objects SET statement = $2 || ';'
WHERE object_oid = $1::pg_catalog.oid AND state = 'pending' AND object_type IN ('INDEX', 'CONSTRAINT', 'FK CONSTRAINT')
