-- The extensions.
-- Parameters: none. Minimum version: 9.5. Rows: name, version.
SELECT e.extname, e.extversion
FROM pg_catalog.pg_extension e
ORDER BY e.extname
