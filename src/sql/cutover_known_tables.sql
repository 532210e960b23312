-- The tables that the migration knows.
-- Parameters: none. Minimum version: 9.5. Rows: OID on the source, in order.
SELECT source_oid FROM pgcutover.tables ORDER BY source_oid
