-- t-recovery: the target is a standby.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT 'pg_is_in_recovery() is true'
WHERE pg_catalog.pg_is_in_recovery()
